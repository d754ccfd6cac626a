"""What an activation must keep to."""

import keras
import numpy as np
from keras import ops

from kerasdl.backend import jit
from kerasdl.testing import gradients
from kerasdl.testing.behaviour import tensors
from kerasdl.testing.results import FaultError, described
from kerasdl.testing.subject import differ


def the_dtype_is_kept(subject):
    """The values have the dtype of the inputs, in half precision too."""
    half = "bfloat16" if keras.backend.backend() == "torch" else "float16"
    for dtype in ("float32", half):
        try:
            found = subject.component(ops.convert_to_tensor(subject.inputs[0], dtype))
        except Exception as error:
            raise FaultError(
                f"{subject.name} raises {described(error)} in {dtype}: compute with keras.ops."
            ) from error
        given = keras.backend.standardize_dtype(found.dtype)
        if given != dtype:
            raise FaultError(f"{subject.name} gives {given} for {dtype}: keep the dtype.")


def gradients_are_those_of_the_function(subject):
    """The gradient is the finite difference, and finite at zero and for large inputs."""

    def function(inputs):
        return subject.component(inputs[0])

    gradients.require_finite(subject.name, function, [subject.inputs[0]])
    subject.require_undeclared("surrogate_gradient", "its gradient is no derivative by design")
    gradients.require_derivative(subject.name, function, [subject.inputs[0]])


def compiled_values_are_those_of_a_call(subject):
    """The values are the same compiled, and follow the inputs."""
    compiled = jit(lambda x: subject.component(x))
    for x in (subject.inputs[0], -subject.inputs[0]):
        (x,) = tensors([np.ascontiguousarray(x)])
        try:
            found = ops.convert_to_numpy(compiled(x))
        except Exception as error:
            raise FaultError(
                f"{subject.name} cannot be compiled: {described(error)} Compute with keras.ops."
            ) from error
        if differ(found, ops.convert_to_numpy(subject.component(x)), 1e-4) is not None:
            raise FaultError(f"{subject.name} gives other values compiled: compute with keras.ops.")


CHECKS = (
    the_dtype_is_kept,
    gradients_are_those_of_the_function,
    compiled_values_are_those_of_a_call,
)
