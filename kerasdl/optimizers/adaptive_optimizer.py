"""What optimizers in the succession of Adam have in common."""

import math
from typing import ClassVar

import keras
from keras import ops

from kerasdl.backend import dense
from kerasdl.optimizers.checks import require_decays, require_positive


class AdaptiveOptimizer(keras.optimizers.Optimizer):
    """An optimizer that moves every weight along a direction computed from its running averages.

    Subclasses define `direction` and, where they keep other averages than two, `slots`. Gradients
    that TensorFlow holds as slices, of an embedding, are filled with zeros: the averages of a row
    that did not occur decay as in every other framework.
    """

    slots: ClassVar = ("momentum", "velocity")

    def __init__(self, learning_rate, beta_1, beta_2, epsilon, **kwargs):
        super().__init__(learning_rate=learning_rate, **kwargs)
        require_decays(self, beta_1=beta_1, beta_2=beta_2)
        require_positive(self, epsilon=epsilon)
        self.beta_1 = float(beta_1)
        self.beta_2 = float(beta_2)
        self.epsilon = float(epsilon)

    def direction(self, gradient, averages, step):
        """Returns what the learning rate multiplies, and the new averages.

        Args:
            gradient: A tensor of the weight's shape and dtype.
            averages: The values of the slots, tensors of the same shape and dtype.
            step: The number of this step, from 1, a scalar of at least float32.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define direction(gradient, averages, step)."
        )

    def build(self, variables):
        """Creates the averages of every variable."""
        if self.built:
            return
        super().build(variables)
        self._averages = self.add_optimizer_variables(variables, list(self.slots))

    def update_step(self, gradient, variable, learning_rate):
        """Moves one variable and its averages by one step."""
        index = self._get_variable_index(variable)
        slots = [averages[index] for averages in self._averages]
        direction, averages = self.direction(
            ops.cast(dense(gradient), variable.dtype),
            [ops.convert_to_tensor(slot) for slot in slots],
            ops.cast(self.iterations + 1, precise_dtype(variable)),
        )
        # The direction first: on torch the tensors above are the slots themselves.
        moved = ops.multiply(direction, ops.cast(learning_rate, variable.dtype))
        for slot, average in zip(slots, averages, strict=True):
            self.assign(slot, average)
        self.assign_sub(variable, moved)

    def get_config(self):
        """Returns the constructor's arguments."""
        own = {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
        return {**super().get_config(), **own}


def mix(decay, average, value):
    """Returns the next value of a running average."""
    return average * decay + value * (1 - decay)


def debias(decay, step):
    """Returns `1 - decay**step`, to full precision also where it is small."""
    return -ops.expm1(step * math.log(decay)) if decay else ops.ones_like(step)


def precise_dtype(variable):
    """Returns the dtype for scalars of a step: that of the variable, but at least float32."""
    return keras.backend.result_type(keras.backend.standardize_dtype(variable.dtype), "float32")


def copy_of(variable):
    """Returns an initializer that copies a variable's value.

    A slot assigned in `build` instead would be lost in the first trace of TensorFlow's `fit`.
    """
    return lambda shape, dtype: ops.copy(ops.cast(variable, dtype))
