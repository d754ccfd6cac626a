"""Normalizations by statistics of their own input: the scale counts as a constant.

By its own gradient a normalization conserves no relevance: the score does not change when its input
is scaled, so that input times gradient sums to zero. With the deviation held constant it is affine,
and the subtracted mean and the bias absorb their share as in any layer.

Source: Ali et al. 2022, XAI for transformers: better explanations through conservative propagation
(ICML); Achtibat et al. 2024 (arXiv 2402.05602), section 3.3.
"""

import keras
from keras import ops

from xai.lrp.steering import pass_on


def is_normalization(operation):
    """Whether an operation normalizes by statistics of its own input."""
    return type(operation) in _LINEARIZED and not getattr(operation, "rms_scaling", False)


def run_normalization(layer, x, probed=False):
    """Returns the layer's output, what scales it held constant.

    Args:
        layer: A normalization.
        x: Its input.
        probed: Whether relevance arrives where the output is zero.
    """
    y = _LINEARIZED[type(layer)](layer, x)
    return pass_on(y, x) if probed and type(layer) in _SCALINGS else y


def _layer_normalization(layer, x):
    axes = _axes(layer, x)
    z = x - ops.mean(x, axis=axes, keepdims=True)
    return _affine(layer, z * _inverse_root_mean_square(z, axes, layer.epsilon), axes)


def _rms_normalization(layer, x):
    axes = _axes(layer, x)
    z = x * _inverse_root_mean_square(x, axes, layer.epsilon)
    return z * ops.cast(ops.reshape(layer.scale, _broadcast_shape(z, axes)), z.dtype)


def _unit_normalization(layer, x):
    norm = ops.sqrt(ops.sum(ops.square(x), axis=_axes(layer, x), keepdims=True))
    return x * ops.stop_gradient(1 / ops.maximum(norm, 1e-12))


def _group_normalization(layer, x):
    axis = layer.axis % len(x.shape)
    grouped = layer._reshape_into_groups(x)  # Keras-private: (batch, ..., groups, channels, ...)
    axes = tuple(a for a in range(1, len(grouped.shape)) if a != axis)
    z = grouped - ops.mean(grouped, axis=axes, keepdims=True)
    z = z * _inverse_root_mean_square(z, axes, layer.epsilon)
    return _affine(layer, ops.reshape(z, ops.shape(x)), (axis,))


_LINEARIZED = {
    keras.layers.LayerNormalization: _layer_normalization,
    keras.layers.RMSNormalization: _rms_normalization,
    keras.layers.UnitNormalization: _unit_normalization,
    keras.layers.GroupNormalization: _group_normalization,
}

_SCALINGS = (keras.layers.RMSNormalization, keras.layers.UnitNormalization)


def _inverse_root_mean_square(z, axes, epsilon):
    mean_square = ops.mean(ops.square(z), axis=axes, keepdims=True)
    return ops.stop_gradient(ops.rsqrt(mean_square + epsilon))


def _axes(layer, x):
    axis = layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis]
    return tuple(a % len(x.shape) for a in axis)


def _broadcast_shape(x, axes):
    return [x.shape[a] if a in axes else 1 for a in range(len(x.shape))]


def _affine(layer, z, axes):
    """Applies the layer's own scale and offset along some axes."""
    shape = _broadcast_shape(z, axes)
    if layer.gamma is not None:
        z = z * ops.cast(ops.reshape(layer.gamma, shape), z.dtype)
    return z if layer.beta is None else z + ops.cast(ops.reshape(layer.beta, shape), z.dtype)
