"""The affine maps that rules work on: `f(x; kernel, bias)` of each weighted layer."""

import dataclasses

import keras
from keras import ops


@dataclasses.dataclass(frozen=True, eq=False)
class LinearMap:
    """A weighted layer without its activation, a BatchNormalization behind it folded in.

    Attributes:
        layer: The Keras layer that holds kernel and bias.
        normalization: The BatchNormalization that follows it in the data flow, or None.
    """

    layer: object
    normalization: object = None

    def weights(self):
        """Returns copies of the current kernel and bias (None without one), at least float32."""
        dtype = "float64" if self.layer.variable_dtype == "float64" else "float32"
        kernel = _detached(self.layer.kernel, dtype)
        bias = None if self.layer.bias is None else _detached(self.layer.bias, dtype)
        if self.normalization is None:
            return kernel, bias
        scale, shift = affine(self.normalization, dtype)
        return kernel * scale, shift if bias is None else bias * scale + shift

    def __call__(self, x, kernel, bias=None):
        """Returns the layer's map of `x` with other weights."""
        z = _PRODUCTS[_family(self.layer)](self.layer, x, kernel)
        return z if bias is None else z + _along_channels(self.layer, bias, len(z.shape))


def is_weighted(operation):
    """Whether rules apply to an operation."""
    return _family(operation) is not None


def can_fold(node, normalization):
    """Whether a BatchNormalization on a weighted node's output acts on its output channels."""
    rank = len(node.outputs[0].shape)
    return normalization.axis % rank == _channel_axis(node.operation, rank)


def affine(normalization, dtype):
    """Returns scale and shift of a BatchNormalization at inference, `(channels,)` each."""
    layer = normalization
    scale = ops.rsqrt(_detached(layer.moving_variance, dtype) + layer.epsilon)
    if layer.scale:
        scale = scale * _detached(layer.gamma, dtype)
    shift = -_detached(layer.moving_mean, dtype) * scale
    return scale, shift + _detached(layer.beta, dtype) if layer.center else shift


def _detached(variable, dtype):
    """Copies a variable's value, which JAX frees and torch changes when training goes on."""
    return ops.stop_gradient(ops.copy(ops.cast(variable, dtype)))


def _dense(layer, x, kernel):
    return ops.matmul(x, kernel)


def _convolution(layer, x, kernel):
    padding = layer.padding
    if padding == "causal":
        left = layer.dilation_rate[0] * (layer.kernel_size[0] - 1)
        time_first = layer.data_format == "channels_last"
        x = ops.pad(x, [[0, 0], [left, 0], [0, 0]] if time_first else [[0, 0], [0, 0], [left, 0]])
        padding = "valid"
    return ops.conv(x, kernel, list(layer.strides), padding, layer.data_format, layer.dilation_rate)


_PRODUCTS = {
    keras.layers.Dense: _dense,
    keras.layers.Conv1D: _convolution,
    keras.layers.Conv2D: _convolution,
    keras.layers.Conv3D: _convolution,
}

CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)


def _family(operation):
    """The Keras class whose `call` the operation runs, None if no linear map of it is known."""
    families = (cls for cls in _PRODUCTS if isinstance(operation, cls))
    return next((cls for cls in families if type(operation).call is cls.call), None)


def _channel_axis(layer, rank):
    first = getattr(layer, "data_format", "channels_last") == "channels_first"
    return 1 if first else rank - 1


def _along_channels(layer, values, rank):
    """Shapes `(channels,)` so that it broadcasts along the layer's output."""
    shape = [1] * rank
    shape[_channel_axis(layer, rank)] = -1
    return ops.reshape(values, shape)
