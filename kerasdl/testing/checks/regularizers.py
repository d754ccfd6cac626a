"""What a regularizer must keep to."""

import keras
import numpy as np
from keras import ops

from kerasdl.backend import jit
from kerasdl.testing import gradients
from kerasdl.testing.behaviour import tensors
from kerasdl.testing.inputs import normal
from kerasdl.testing.results import FaultError, described
from kerasdl.testing.subject import differ


def penalties_are_numbers_of_at_least_zero(subject):
    """The penalty is one finite number, also of a weight that is zero."""
    for what, weight in (("a weight", subject.inputs[0]), ("zeros", 0 * subject.inputs[0])):
        found = subject.clone()(ops.convert_to_tensor(weight))
        value = ops.convert_to_numpy(found)
        if value.shape != ():
            raise FaultError(
                f"{subject.name} gives shape {value.shape} for {what}: reduce over all axes."
            )
        if not np.isfinite(value) or value < -1e-6:
            raise FaultError(
                f"{subject.name} gives {float(value)} for {what}: at least 0 is expected."
            )


def weights_of_every_rank_are_taken_or_refused(subject):
    """Kernels and biases of rank 1 to 4 have a penalty, or a clear ValueError."""
    for shape in ((4,), (4, 3), (3, 4, 3), (3, 3, 2, 4)):
        try:
            value = float(subject.clone()(ops.convert_to_tensor(normal(*shape))))
        except ValueError:
            continue
        except Exception as error:
            raise FaultError(
                f"{subject.name} raises {described(error)} for a weight of shape {shape}: raise a "
                "ValueError that says what it takes."
            ) from error
        if not np.isfinite(value):
            raise FaultError(f"{subject.name} gives {value} for a weight of shape {shape}.")


def gradients_are_those_of_the_penalty(subject):
    """The gradient is the finite difference, and finite where the weight is zero."""
    regularizer = subject.clone()

    def function(inputs):
        return regularizer(inputs[0])

    gradients.require_finite(subject.name, function, [subject.inputs[0]])
    subject.require_undeclared("surrogate_gradient", "its gradient is no derivative by design")
    gradients.require_derivative(subject.name, function, [subject.inputs[0]])


def compiled_penalties_are_those_of_a_call(subject):
    """The penalty is the same compiled, and follows the weight."""
    regularizer = subject.clone()
    compiled = jit(lambda weight: regularizer(weight))
    for weight in (subject.inputs[0], 2 * subject.inputs[0]):
        (weight,) = tensors([weight])
        try:
            found = ops.convert_to_numpy(compiled(weight))
        except Exception as error:
            raise FaultError(
                f"{subject.name} cannot be compiled: {described(error)} Compute with keras.ops."
            ) from error
        if differ(found, ops.convert_to_numpy(regularizer(weight)), 1e-4) is not None:
            raise FaultError(
                f"{subject.name} gives another value compiled: compute with keras.ops."
            )


def penalties_have_the_dtype_of_the_weight(subject):
    """A float32 weight has a float32 penalty."""
    found = subject.clone()(ops.convert_to_tensor(subject.inputs[0], "float32"))
    dtype = keras.backend.standardize_dtype(found.dtype)
    if dtype != "float32":
        raise FaultError(f"{subject.name} gives {dtype} for a float32 weight.")


CHECKS = (
    penalties_are_numbers_of_at_least_zero,
    weights_of_every_rank_are_taken_or_refused,
    gradients_are_those_of_the_penalty,
    compiled_penalties_are_those_of_a_call,
    penalties_have_the_dtype_of_the_weight,
)
