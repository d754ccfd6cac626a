"""Gradients and compilation with JAX."""

import contextlib
import functools

import jax
import keras
from keras import tree


def dense(gradient):
    """Returns the gradient, which is a tensor already; see `kerasdl.backend`."""
    return gradient


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


class TwoPassTraining:
    """The training step of a model in two passes; see `kerasdl.backend`."""

    def train_step(self, state, data):
        """Returns the logs and the new state of one batch."""
        weights, others, optimizer, metrics = state
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        pass_of = functools.partial(
            jax.value_and_grad(self.compute_loss_and_updates, has_aux=True),
            training=True,
            optimizer_variables=optimizer,
        )
        (_, updates), gradients = pass_of(weights, others, metrics, x, y, sample_weight)
        pairs = zip(weights, self.perturbations(gradients), strict=True)
        moved = [weight + change for weight, change in pairs]
        _, gradients = pass_of(moved, others, metrics, x, y, sample_weight)
        loss, y_pred, others, metrics = updates
        weights, optimizer = self.optimizer.stateless_apply(optimizer, gradients, weights)
        logs, metrics = self._update_metrics_variables(metrics, loss, x, y, y_pred, sample_weight)
        return logs, (weights, others, optimizer, metrics)
