"""A decay that reaches 0 slowly enough to arrive."""

from typing import ClassVar

import keras
from keras import ops

from kerasdl.registry import register
from kerasdl.schedules import checks


@register
class RobbinsMonro(keras.optimizers.schedules.LearningRateSchedule):
    """A power decay under which stochastic approximation converges.

    ```
    rate(step) = initial_learning_rate / (1 + step / decay_steps)**power
    ```

    For `power` in (0.5, 1] the rates sum to infinity, so that any distance can be covered, and
    their squares to a finite number, so that the noise dies out. An exponential decay fails the
    first condition, `1 / sqrt(step)` the second. (The founding notes ask for the first alone.)

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: After so many steps the rate has fallen to `2**-power` of its start.
        power: In (0.5, 1].

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> keras.optimizers.SGD(RobbinsMonro(0.1, decay_steps=1000, power=0.75))

    Source:
        Robbins, Monro: A stochastic approximation method, 1951.
    """

    search_space: ClassVar = {
        "initial_learning_rate": {"min_value": 1e-4, "max_value": 1.0, "sampling": "log"},
        "power": [0.6, 0.75, 1.0],
    }

    def __init__(self, initial_learning_rate=0.01, decay_steps=1000, power=1.0):
        self.initial_learning_rate = checks.rate(
            self, "initial_learning_rate", initial_learning_rate
        )
        self.decay_steps = checks.steps(self, "decay_steps", decay_steps)
        self.power = checks.number(self, "power", power, low=0.5, high=1)

    def __call__(self, step):
        """Returns the learning rate of a step, a float32 scalar."""
        elapsed = ops.cast(step, "float32") / self.decay_steps
        return self.initial_learning_rate * ops.power(1 + elapsed, -self.power)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "power": self.power,
        }
