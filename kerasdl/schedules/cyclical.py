"""A learning rate that goes up and down again and again."""

from typing import ClassVar

import keras
from keras import ops

from kerasdl.registry import register
from kerasdl.schedules import checks

_MODES = ("triangular", "triangular2", "exp_range")


@register
class Cyclical(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises and falls linearly between two bounds.

    ```
    cycle = floor(step / (2 half_cycle_steps))
    x = |step / half_cycle_steps - 2 cycle - 1|
    rate(step) = min_learning_rate + (max_learning_rate - min_learning_rate) (1 - x) scale
    ```

    | mode          | scale            |
    |---------------|------------------|
    | `triangular`  | 1                |
    | `triangular2` | `2**-cycle`      |
    | `exp_range`   | `decay**step`    |

    Args:
        min_learning_rate: The lower bound, at steps 0, `2 half_cycle_steps` and so on.
        max_learning_rate: The upper bound, above the lower.
        half_cycle_steps: Steps from one bound to the other; 2 to 10 epochs in the paper.
        mode: See the table.
        decay: In (0, 1]; of `exp_range` alone.

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> keras.optimizers.SGD(Cyclical(1e-3, 6e-3, half_cycle_steps=4 * batches))

    Source:
        Smith: Cyclical learning rates for training neural networks, 2017 (arXiv 1506.01186). Its
        text lets both bounds of `exp_range` decay; as in its code, only the distance does.
    """

    search_space: ClassVar = {
        "max_learning_rate": {"min_value": 1e-3, "max_value": 1.0, "sampling": "log"},
        "mode": list(_MODES),
    }

    def __init__(
        self,
        min_learning_rate=1e-4,
        max_learning_rate=0.01,
        half_cycle_steps=2000,
        mode="triangular",
        decay=0.9999,
    ):
        self.min_learning_rate = checks.rate(
            self, "min_learning_rate", min_learning_rate, positive=False
        )
        self.max_learning_rate = checks.rate(self, "max_learning_rate", max_learning_rate)
        if self.max_learning_rate <= self.min_learning_rate:
            raise ValueError(
                f"Cyclical(max_learning_rate={max_learning_rate!r}): the upper bound must be above "
                f"min_learning_rate={min_learning_rate!r}. Exchange the two."
            )
        self.half_cycle_steps = checks.steps(self, "half_cycle_steps", half_cycle_steps)
        self.mode = checks.choice(self, "mode", mode, _MODES)
        self.decay = checks.number(self, "decay", decay, low=0, high=1)

    def __call__(self, step):
        """Returns the learning rate of a step, a float32 scalar."""
        step = ops.cast(step, "float32")
        cycle = ops.floor(step / (2 * self.half_cycle_steps))
        # Whole steps are exact in float32, quotients are not: the difference comes first.
        into_cycle = (step - cycle * (2 * self.half_cycle_steps)) / self.half_cycle_steps
        height = 1 - ops.abs(into_cycle - 1)
        distance = self.max_learning_rate - self.min_learning_rate
        return self.min_learning_rate + distance * height * self._scale(step, cycle)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            "min_learning_rate": self.min_learning_rate,
            "max_learning_rate": self.max_learning_rate,
            "half_cycle_steps": self.half_cycle_steps,
            "mode": self.mode,
            "decay": self.decay,
        }

    def _scale(self, step, cycle):
        scales = {
            "triangular": lambda: ops.ones_like(step),
            "triangular2": lambda: ops.power(0.5, cycle),
            "exp_range": lambda: ops.power(self.decay, step),
        }
        return scales[self.mode]()
