"""Gradient descent along an exponential moving average of the gradients."""

import numbers
from typing import ClassVar

import keras
from keras import ops

from kerasdl.registry import register


@register
class EMAMomentumSGD(keras.optimizers.Optimizer):
    """Gradient descent along an exponential moving average of the gradients.

    ```
    velocity = momentum * velocity + (1 - momentum) * gradient
    weight = weight - learning_rate * velocity
    ```

    The velocity is an average, so that its size does not depend on `momentum`, and it starts at 0
    without bias correction, so that the first steps are short. `keras.optimizers.SGD` sums instead
    of averaging: at a constant learning rate, `EMAMomentumSGD(learning_rate / (1 - momentum),
    momentum)` makes the steps of `SGD(learning_rate, momentum)`. When the learning rate changes the
    two differ: here a new rate scales the whole velocity, there only the gradients to come.

    Args:
        learning_rate: A float, a `LearningRateSchedule` or a function without arguments.
        momentum: Decay of the average, in [0, 1); it spans about `1 / (1 - momentum)` steps. 0 is
            plain gradient descent.
        **kwargs: `name`, `weight_decay`, `clipnorm` and the other arguments of
            `keras.optimizers.Optimizer`.

    Raises:
        ValueError: `momentum` is not in [0, 1), or Keras refuses another argument.

    Example:
        >>> model.compile(optimizer=EMAMomentumSGD(learning_rate=0.1), loss="mse")

    Source:
        The founding notes. For the form that sums: Sutskever, Martens, Dahl, Hinton: On the
        importance of initialization and momentum in deep learning, 2013.
    """

    search_space: ClassVar = {
        "learning_rate": {"min_value": 1e-3, "max_value": 1.0, "sampling": "log"},
        "momentum": [0.5, 0.9, 0.95, 0.99],
    }

    def __init__(self, learning_rate=0.01, momentum=0.9, **kwargs):
        super().__init__(learning_rate=learning_rate, **kwargs)
        if not (isinstance(momentum, numbers.Real) and 0 <= momentum < 1):
            raise ValueError(
                f"EMAMomentumSGD(momentum={momentum!r}): momentum must lie in [0, 1). "
                "Use 0.9 to average over about 10 steps, 0 for plain gradient descent."
            )
        self.momentum = float(momentum)

    def build(self, variables):
        """Creates one velocity per variable."""
        if self.built:
            return
        super().build(variables)
        self.velocities = self.add_optimizer_variables(variables, "velocity")

    def update_step(self, gradient, variable, learning_rate):
        """Moves one variable and its velocity by one step."""
        learning_rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        velocity = self.velocities[self._get_variable_index(variable)]
        # ops.multiply and ops.add also take the sparse gradients of TensorFlow's embeddings.
        average = ops.add(
            ops.multiply(velocity, ops.cast(self.momentum, variable.dtype)),
            ops.multiply(gradient, ops.cast(1 - self.momentum, variable.dtype)),
        )
        self.assign(velocity, average)
        self.assign_sub(variable, ops.multiply(average, learning_rate))

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "momentum": self.momentum}
