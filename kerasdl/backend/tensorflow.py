"""Gradients and compilation with TensorFlow."""

import contextlib

import keras
import tensorflow as tf
from keras import tree


def dense(gradient):
    """Returns a gradient as a tensor; see `kerasdl.backend`."""
    return tf.convert_to_tensor(gradient)


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


class TwoPassTraining:
    """The training step of a model in two passes; see `kerasdl.backend`."""

    def train_step(self, data):
        """Returns the logs of one batch."""
        if self.distribute_strategy.num_replicas_in_sync > 1:
            raise ValueError(
                f"{type(self).__name__} trains on one device; tf.distribute spreads it over "
                f"{self.distribute_strategy.num_replicas_in_sync}. Leave the strategy out."
            )
        x, y, sample_weight = batch = keras.utils.unpack_x_y_sample_weight(data)
        if not self.built:  # `fit` leaves it to the first call, but weights are listed before it
            self.build(tree.map_structure(lambda part: tuple(part.shape), x))
        weights = self.trainable_variables
        state = [*self.non_trainable_variables, *self.metrics_variables]
        start, before = _values(weights), _values(state)
        loss, y_pred, gradients = self._pass(*batch)
        after = _values(state)
        for weight, change in zip(weights, self.perturbations(gradients), strict=True):
            if change is not None:
                weight.assign_add(change)
        _assign(state, before)
        _, _, gradients = self._pass(*batch)
        _assign([*weights, *state], [*start, *after])
        rows = tf.shape(next(part for part in tree.flatten(x) if part is not None))[0]
        self._loss_tracker.update_state(loss, sample_weight=rows)
        self.optimizer.apply(gradients, weights)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def _pass(self, x, y, sample_weight):
        """Returns the loss, the predictions and the gradients, scaled as the optimizer wants."""
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            given = {"x": x, "y": y, "y_pred": y_pred, "sample_weight": sample_weight}
            loss = self._compute_loss(**given, training=True)
            scaled = self.optimizer.scale_loss(loss)
        return loss, y_pred, tape.gradient(scaled, self.trainable_weights)


def _values(variables):
    return [tf.identity(variable.value) for variable in variables]


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


class _Compiled:
    """A function as an object of its own.

    TensorFlow counts traces by the code of a function: of closures it would take every new one for
    a needless trace of the same, and warn.
    """

    def __init__(self, function):
        self._function = function

    def __call__(self, *arguments):
        return self._function(*arguments)
