"""Gradients and compilation with TensorFlow."""

import contextlib

import tensorflow as tf
from keras import tree


def vjp(function, inputs):
    """Returns the value of `function(inputs)` and its pullback; see `kerasdl.backend`."""
    inputs = tree.map_structure(tf.convert_to_tensor, inputs)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(tree.flatten(inputs))
        outputs = function(inputs)

    def pullback(cotangents):
        gradients = tape.gradient(
            tree.flatten(outputs),
            tree.flatten(inputs),
            output_gradients=tree.flatten(cotangents),
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        return tree.pack_sequence_as(inputs, gradients)

    return outputs, pullback


def jit(function, variables=()):
    """Returns `function` as a graph, which reads its variables by reference."""
    del variables
    return tf.function(_Compiled(function), autograph=False, reduce_retracing=True)


def preserved_randomness():
    """Returns a context that does nothing: Keras draws no global random numbers here."""
    return contextlib.nullcontext()


def with_gradient(value, gradients, held, tensors):
    """Returns `value` with the gradients given; see `kerasdl.backend`."""
    value, *held = map(tf.stop_gradient, (value, *held))

    @tf.custom_gradient
    def steered(*tensors):
        return tf.identity(value), lambda given: gradients(given, *held)

    return steered(*tensors)


class _Compiled:
    """A function as an object of its own.

    TensorFlow counts traces by the code of a function: of closures it would take every new one for
    a needless trace of the same, and warn.
    """

    def __init__(self, function):
        self._function = function

    def __call__(self, *arguments):
        return self._function(*arguments)
