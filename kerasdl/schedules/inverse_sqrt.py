"""The learning rate of the first transformer."""

from typing import ClassVar

import keras
from keras import ops

from kerasdl.registry import register
from kerasdl.schedules import checks


@register
class InverseSqrt(keras.optimizers.schedules.LearningRateSchedule):
    """A linear rise, then a fall with the square root of the steps.

    ```
    t = step + 1
    rate(step) = learning_rate min(t / warmup_steps, sqrt(warmup_steps / t))
    ```

    The paper counts steps from 1, Keras from 0, hence `t`; the first step is not lost. The paper's
    rate is that of `learning_rate = (d_model warmup_steps)**-0.5`, 7e-4 for its base model.

    Args:
        learning_rate: The highest rate, in step `warmup_steps`.
        warmup_steps: Length of the rise, at least 1.

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> keras.optimizers.Adam(InverseSqrt(7e-4, warmup_steps=4000), beta_2=0.98)

    Source:
        Vaswani et al.: Attention is all you need, 2017 (arXiv 1706.03762), equation 3.
    """

    search_space: ClassVar = {
        "learning_rate": {"min_value": 1e-5, "max_value": 1e-2, "sampling": "log"},
        "warmup_steps": {"min_value": 10, "max_value": 10000, "sampling": "log"},
    }

    def __init__(self, learning_rate=0.001, warmup_steps=4000):
        self.learning_rate = checks.rate(self, "learning_rate", learning_rate)
        self.warmup_steps = checks.steps(self, "warmup_steps", warmup_steps)

    def __call__(self, step):
        """Returns the learning rate of a step, a float32 scalar."""
        t = (ops.cast(step, "float32") + 1) / self.warmup_steps
        return self.learning_rate * ops.minimum(t, ops.rsqrt(t))

    def get_config(self):
        """Returns the constructor's arguments."""
        return {"learning_rate": self.learning_rate, "warmup_steps": self.warmup_steps}
