"""A rise, a plateau and a short decay."""

from typing import ClassVar

import keras
from keras import ops

from kerasdl.registry import register
from kerasdl.schedules import checks


@register
class WarmupStableDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A linear rise, a plateau of any length, and a short decay at the end.

    ```
    rate(step) = learning_rate step / warmup_steps                      the rise
    rate(step) = learning_rate                                          the plateau
    rate(step) = final + (learning_rate - final) (1 - progress)         the decay, "linear"
    rate(step) = final + (learning_rate - final) (1 - sqrt(progress))   the decay, "sqrt"
    ```

    `progress` goes from 0 to 1 over the decay; afterwards the rate stays at `final`,
    `final_learning_rate`. The length of a training need not be known before it decays: a longer one
    continues from a checkpoint on the plateau.

    Args:
        learning_rate: The rate of the plateau.
        warmup_steps: Length of the rise; 0 for none.
        stable_steps: Length of the plateau.
        decay_steps: Length of the decay, at least 1; a tenth to a fifth of all steps suffices.
        final_learning_rate: The last rate, at most `learning_rate`.
        shape: `"linear"` or `"sqrt"`, which the second paper found the better of the two. The
            first one decays exponentially and leaves the shape open.

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> keras.optimizers.AdamW(WarmupStableDecay(1e-3, 1000, 17000, 2000))

    Source:
        Hu et al.: MiniCPM, 2024 (arXiv 2404.06395), section 4. Hägele et al.: Scaling laws and
        compute-optimal training beyond fixed training durations, 2024 (arXiv 2405.18392).
    """

    search_space: ClassVar = {
        "learning_rate": {"min_value": 1e-5, "max_value": 1e-1, "sampling": "log"},
        "shape": ["linear", "sqrt"],
    }

    def __init__(
        self,
        learning_rate=0.001,
        warmup_steps=1000,
        stable_steps=8000,
        decay_steps=1000,
        final_learning_rate=0.0,
        *,
        shape="linear",
    ):
        self.learning_rate = checks.rate(self, "learning_rate", learning_rate)
        self.warmup_steps = checks.steps(self, "warmup_steps", warmup_steps, positive=False)
        self.stable_steps = checks.steps(self, "stable_steps", stable_steps, positive=False)
        self.decay_steps = checks.steps(self, "decay_steps", decay_steps)
        self.final_learning_rate = checks.rate(
            self, "final_learning_rate", final_learning_rate, positive=False
        )
        if self.final_learning_rate > self.learning_rate:
            raise ValueError(
                f"WarmupStableDecay(final_learning_rate={final_learning_rate!r}): the last rate "
                f"must be at most learning_rate={learning_rate!r}. Give 0.0 to decay to nothing."
            )
        self.shape = checks.choice(self, "shape", shape, ("linear", "sqrt"))

    def __call__(self, step):
        """Returns the learning rate of a step, a float32 scalar."""
        step = ops.cast(step, "float32")
        rise = ops.minimum(step / self.warmup_steps, 1.0) if self.warmup_steps else 1.0
        decayed = step - (self.warmup_steps + self.stable_steps)
        progress = ops.clip(decayed / self.decay_steps, 0.0, 1.0)
        fall = 1 - (progress if self.shape == "linear" else ops.sqrt(progress))
        end = self.final_learning_rate
        return (end + (self.learning_rate - end) * fall) * rise

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            "learning_rate": self.learning_rate,
            "warmup_steps": self.warmup_steps,
            "stable_steps": self.stable_steps,
            "decay_steps": self.decay_steps,
            "final_learning_rate": self.final_learning_rate,
            "shape": self.shape,
        }
