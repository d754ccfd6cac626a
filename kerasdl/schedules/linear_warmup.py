"""A linear rise to the start of another schedule."""

from typing import ClassVar

import keras
from keras import ops

from kerasdl.registry import register
from kerasdl.schedules import checks


@register
class LinearWarmup(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate, constant or scheduled, that begins with a linear rise.

    ```
    rate(step) = start + (inner(0) - start) step / warmup_steps    before warmup_steps
    rate(step) = inner(step - warmup_steps)                        from then on
    ```

    The inner schedule begins when the rise ends: nothing of it is skipped and the rate is
    continuous. From `start=0.0` the very first step changes nothing.

    Args:
        inner: A positive float or a `LearningRateSchedule`.
        warmup_steps: Length of the rise, at least 1.
        start: The rate at step 0.

    Raises:
        ValueError: A number is out of its range.
        TypeError: `inner` is neither a number nor a schedule.

    Example:
        >>> keras.optimizers.Adam(LinearWarmup(RobbinsMonro(1e-3), warmup_steps=500))

    Source:
        Goyal et al.: Accurate, large minibatch SGD, 2017 (arXiv 1706.02677), section 2.2.
    """

    search_space: ClassVar = {
        "warmup_steps": {"min_value": 10, "max_value": 10000, "sampling": "log"}
    }

    def __init__(self, inner=0.001, warmup_steps=1000, start=0.0):
        self.inner = self._checked_inner(inner)
        self.warmup_steps = checks.steps(self, "warmup_steps", warmup_steps)
        self.start = checks.rate(self, "start", start, positive=False)

    def __call__(self, step):
        """Returns the learning rate of a step, a float32 scalar."""
        step = ops.cast(step, "float32")
        top = self._inner_rate(ops.zeros_like(step))
        rising = self.start + (top - self.start) * (step / self.warmup_steps)
        later = self._inner_rate(ops.maximum(step - self.warmup_steps, 0.0))
        return ops.where(step < self.warmup_steps, rising, later)

    def get_config(self):
        """Returns the constructor's arguments."""
        inner = self.inner
        if not isinstance(inner, float):
            inner = keras.optimizers.schedules.serialize(inner)
        return {"inner": inner, "warmup_steps": self.warmup_steps, "start": self.start}

    @classmethod
    def from_config(cls, config):
        """Returns the schedule of a config."""
        inner = config["inner"]
        if isinstance(inner, dict):
            inner = keras.optimizers.schedules.deserialize(inner)
        return cls(**{**config, "inner": inner})

    def _checked_inner(self, inner):
        if isinstance(inner, keras.optimizers.schedules.LearningRateSchedule):
            return inner
        if not isinstance(inner, int | float):
            raise TypeError(
                f"LinearWarmup(inner={inner!r}): inner must be a number or a LearningRateSchedule. "
                "Give a number such as 0.001 to stay at the rate reached."
            )
        return checks.rate(self, "inner", inner)

    def _inner_rate(self, step):
        if isinstance(self.inner, float):
            return ops.full_like(step, self.inner)
        return ops.cast(self.inner(step), "float32")
