"""Gradients and compilation with JAX."""

import contextlib
import functools

import jax
import keras
from keras import tree


def vjp(function, inputs):
    """Returns the value of `function(inputs)` and its pullback; see `kerasdl.backend`."""
    inputs = tree.map_structure(keras.ops.convert_to_tensor, inputs)
    outputs, pullback = jax.vjp(function, inputs)
    return outputs, lambda cotangents: pullback(cotangents)[0]


def jit(function, variables=()):
    """Returns `function` compiled, with the values of `variables` as arguments, not constants."""
    variables = list(variables)

    @jax.jit
    def pure(values, *arguments):
        with keras.StatelessScope(state_mapping=zip(variables, values, strict=True)):
            return function(*arguments)

    @functools.wraps(function)
    def compiled(*arguments):
        return pure([variable.value for variable in variables], *arguments)

    return compiled


def preserved_randomness():
    """Returns a context that does nothing: Keras draws no global random numbers here."""
    return contextlib.nullcontext()


def with_gradient(value, gradients, held, tensors):
    """Returns `value` with the gradients given; see `kerasdl.backend`."""

    @jax.custom_vjp
    def steered(value, held, tensors):
        return value

    steered.defvjp(
        lambda value, held, tensors: (value, held),
        lambda held, given: (None, None, list(gradients(given, *held))),
    )
    return steered(value, list(held), list(tensors))
