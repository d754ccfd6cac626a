"""Momentum with a rate of its own for every layer."""

from typing import ClassVar

import keras
from keras import ops

from kerasdl.backend import dense
from kerasdl.optimizers.checks import require_decays, require_positive
from kerasdl.registry import register


@register
class LARS(keras.optimizers.Optimizer):
    """Layer-wise adaptive rate scaling: each weight moves by a part of its own norm.

    ```
    rate = trust_coefficient * |weight| / (|gradient| + weight_decay * |weight|)
    velocity = momentum * velocity + learning_rate * rate * (gradient + weight_decay * weight)
    weight = weight - velocity
    ```

    The norms are those of whole weight tensors. Where a norm is 0, the rate is 1. Biases and the
    weights of normalizations (every tensor of less than two axes, and those named `bias`, `gamma`
    or `beta`) have a rate of 1 and no decay. `weight_decay` is part of the gradient here and not
    decoupled from it as in Keras' other optimizers.

    Args:
        learning_rate: A float, a `LearningRateSchedule` or a function without arguments. A step
            changes a weight by about `learning_rate * trust_coefficient / (1 - momentum)` of its
            norm, 1 % with the defaults, and biases as plain momentum does. The usual warm-up is a
            schedule.
        momentum: Decay of the velocity, in [0, 1).
        trust_coefficient: The part of its norm by which a weight moves, above 0. The paper has
            0.001 and rates above 1, which suit networks of normalized layers.
        **kwargs: `name`, `weight_decay`, `clipnorm` and the other arguments of
            `keras.optimizers.Optimizer`.

    Raises:
        ValueError: `momentum` or `trust_coefficient` is out of range, or Keras refuses another
            argument.

    Example:
        >>> model.compile(optimizer=LARS(learning_rate=0.1, weight_decay=5e-4), loss="mse")

    Source:
        You, Gitman, Ginsburg: Large batch training of convolutional networks, 2017
        (arXiv 1708.03888), algorithm 1. The exceptions are those of later practice.
    """

    search_space: ClassVar = {
        "learning_rate": {"min_value": 1e-2, "max_value": 10.0, "sampling": "log"},
        "momentum": [0.8, 0.9, 0.95],
        "trust_coefficient": {"min_value": 1e-4, "max_value": 1e-1, "sampling": "log"},
    }

    def __init__(self, learning_rate=0.1, momentum=0.9, trust_coefficient=0.01, **kwargs):
        super().__init__(learning_rate=learning_rate, **kwargs)
        require_decays(self, momentum=momentum)
        require_positive(self, trust_coefficient=trust_coefficient)
        self.momentum = float(momentum)
        self.trust_coefficient = float(trust_coefficient)

    def build(self, variables):
        """Creates one velocity per variable and notes which variables are scaled."""
        if self.built:
            return
        super().build(variables)
        self.velocities = self.add_optimizer_variables(variables, "velocity")
        self._scaled = [_is_scaled(variable) for variable in variables]

    def update_step(self, gradient, variable, learning_rate):
        """Moves one variable and its velocity by one step."""
        index = self._get_variable_index(variable)
        gradient = ops.cast(dense(gradient), variable.dtype)
        weight = ops.convert_to_tensor(variable)
        if self._scaled[index]:
            gradient = self._scale(gradient, weight, self._decay(variable))
        velocity = self.velocities[index]
        moved = velocity * self.momentum + gradient * ops.cast(learning_rate, variable.dtype)
        self.assign(velocity, moved)
        self.assign_sub(variable, moved)

    def _decay(self, variable):
        return (self.weight_decay or 0.0) if self._use_weight_decay(variable) else 0.0

    def _scale(self, gradient, weight, decay):
        """Returns the decayed gradient at the length of the trusted part of the weight."""
        weight_norm, gradient_norm = _norm(weight), _norm(gradient)
        usable = ops.logical_and(weight_norm > 0, gradient_norm > 0)
        divisor = ops.where(usable, gradient_norm + decay * weight_norm, 1.0)
        rate = ops.where(usable, self.trust_coefficient * weight_norm / divisor, 1.0)
        return (gradient + decay * weight) * ops.cast(rate, gradient.dtype)

    def _apply_weight_decay(self, variables):
        """Leaves the decay to `update_step`."""

    def get_config(self):
        """Returns the constructor's arguments."""
        own = {"momentum": self.momentum, "trust_coefficient": self.trust_coefficient}
        return {**super().get_config(), **own}


def _is_scaled(variable):
    name = variable.name.rpartition("/")[2].partition(":")[0]  # "dense/kernel:0" on TensorFlow
    return len(variable.shape) > 1 and name not in ("bias", "gamma", "beta")


def _norm(tensor):
    precise = keras.backend.result_type(keras.backend.standardize_dtype(tensor.dtype), "float32")
    return ops.sqrt(ops.sum(ops.square(ops.cast(tensor, precise))))
