"""Losses of each sample and their gradients, as arrays."""

import keras

from kerasdl.backend import vjp


def sample_losses(loss, y_true, y_pred):
    """Returns the loss of each sample."""
    return keras.ops.convert_to_numpy(_with_reduction(loss, None)(y_true, y_pred))


def gradient(loss, y_true, y_pred):
    """Returns the gradient of the sum of the samples' losses with respect to the predictions."""
    loss = _with_reduction(loss, "sum")
    value, pullback = vjp(lambda y: loss(y_true, y), y_pred)
    return keras.ops.convert_to_numpy(pullback(keras.ops.ones_like(value)))


def _with_reduction(loss, reduction):
    return type(loss).from_config({**loss.get_config(), "reduction": reduction})
