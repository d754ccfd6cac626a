"""One rise, one fall, and an end far below the start."""

import math
from typing import ClassVar

import keras
from keras import ops

from kerasdl.registry import register
from kerasdl.schedules import checks


@register
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """One rise from a moderate rate to a large one, then a fall to nearly nothing.

    ```
    rate(0)                              = max_learning_rate / division
    rate(warmup_fraction * total_steps)  = max_learning_rate
    rate(total_steps)                    = max_learning_rate / (division final_division)
    ```

    Between these points the rate follows half a cosine or a line; after `total_steps` it stays. The
    paper goes up and down linearly in equal times and falls off in a short third phase; the two
    phases and the defaults here are those that have become usual, first in fastai. The momentum,
    which the paper lowers while the rate is high, is left alone.

    Args:
        max_learning_rate: The highest rate, as a range test finds it.
        total_steps: All optimizer steps of the training, at least 2.
        warmup_fraction: The part of the steps that the rise takes, in (0, 1).
        division: The highest rate over the first, above 1.
        final_division: The first rate over the last, above 1.
        shape: `"cosine"` or `"linear"`.

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> keras.optimizers.SGD(OneCycle(0.5, total_steps=10 * batches), momentum=0.9)

    Source:
        Smith, Topin: Super-convergence: very fast training of neural networks using large learning
        rates, 2018 (arXiv 1708.07120).
    """

    search_space: ClassVar = {
        "max_learning_rate": {"min_value": 1e-4, "max_value": 1.0, "sampling": "log"},
        "warmup_fraction": [0.1, 0.3, 0.5],
        "shape": ["cosine", "linear"],
    }

    def __init__(
        self,
        max_learning_rate=0.01,
        total_steps=10000,
        warmup_fraction=0.3,
        division=25.0,
        final_division=1e4,
        *,
        shape="cosine",
    ):
        self.max_learning_rate = checks.rate(self, "max_learning_rate", max_learning_rate)
        self.total_steps = checks.steps(self, "total_steps", total_steps)
        self.warmup_fraction = checks.number(
            self, "warmup_fraction", warmup_fraction, low=0, high=math.nextafter(1, 0)
        )
        self.division = checks.number(self, "division", division, low=1, high=1e30)
        self.final_division = checks.number(
            self, "final_division", final_division, low=1, high=1e30
        )
        self.shape = checks.choice(self, "shape", shape, ("cosine", "linear"))

    def __call__(self, step):
        """Returns the learning rate of a step, a float32 scalar."""
        step = ops.cast(step, "float32")
        first = self.max_learning_rate / self.division
        peak = self.total_steps * self.warmup_fraction
        rise = step / peak
        fall = ops.maximum(self.total_steps - step, 0.0) / (self.total_steps - peak)
        low = ops.where(rise < 1, first, first / self.final_division)
        share = self._eased(ops.minimum(rise, fall))
        return low + (self.max_learning_rate - low) * share

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            "max_learning_rate": self.max_learning_rate,
            "total_steps": self.total_steps,
            "warmup_fraction": self.warmup_fraction,
            "division": self.division,
            "final_division": self.final_division,
            "shape": self.shape,
        }

    def _eased(self, share):
        if self.shape == "linear":
            return share
        return ops.square(ops.sin(share * (math.pi / 2)))  # (1 - cos(pi share)) / 2, without loss
