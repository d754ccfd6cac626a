"""The affine maps that rules work on: `f(x; kernel, bias)` of each weighted layer."""

import dataclasses

import keras
from keras import ops

from xai.lrp.precision import raised
from xai.lrp.steering import detached


@dataclasses.dataclass(frozen=True)
class Family:
    """How a Keras layer class maps linearly.

    Attributes:
        product: Function of layer, inputs and kernel: the layer's output without bias.
        kernel: The attribute that holds the kernel.
        outputs: Where the kernel has its output channels: `"last"`; `"before_last"`, as transposed
            convolutions; `"last_two"`, as depthwise ones; or None, where they are no channels.
        takes_shift: Whether a constant added to an input channel adds one to each output channel,
            if no padding cuts it off.
    """

    product: object
    kernel: str = "kernel"
    outputs: str | None = "last"
    takes_shift: bool = True


@dataclasses.dataclass(frozen=True, eq=False)
class LinearMap:
    """A weighted layer without its activation, a BatchNormalization before or behind it folded in.

    Attributes:
        layer: The Keras layer that holds kernel and bias.
        family: How it maps.
        before: The BatchNormalization that it alone reads in the data flow, or None.
        behind: The BatchNormalization that alone reads it, or None.
        has_bias: Whether the layer's bias belongs to this map.
    """

    layer: object
    family: Family
    before: object = None
    behind: object = None
    has_bias: bool = True

    @property
    def folded(self):
        """The normalizations folded in."""
        return [norm for norm in (self.before, self.behind) if norm is not None]

    def weights(self):
        """Returns copies of the current kernel and bias (None without one), at least float32."""
        layer = self.layer
        dtype = raised(layer.variable_dtype)
        kernel = detached(getattr(layer, self.family.kernel), dtype)
        has_bias = self.has_bias and layer.bias is not None
        bias = detached(layer.bias, dtype) if has_bias else None
        if self.before is not None:
            kernel, bias = self._normalized(kernel, bias, *affine(self.before, dtype))
        if self.behind is None:
            return kernel, bias
        scale, shift = affine(self.behind, dtype)
        return self._scaled(kernel, scale), shift if bias is None else bias * scale + shift

    def __call__(self, x, kernel, bias=None):
        """Returns the layer's map of `x` with other weights."""
        z = self.family.product(self.layer, x, kernel)
        return z if bias is None else z + self._along_channels(bias, len(z.shape))

    def takes_behind(self, normalization, rank):
        """Whether a BatchNormalization on the map's output acts on its output channels."""
        axis = normalization.axis % rank
        return self.family.outputs is not None and axis == _channel_axis(self.layer, rank)

    def takes_before(self, normalization, rank):
        """Whether a BatchNormalization of the map's input is part of one map, padding included."""
        axis = normalization.axis % rank
        is_whole = getattr(self.layer, "padding", "valid") == "valid"
        in_one_group = getattr(self.layer, "groups", 1) == 1
        fits = axis == _channel_axis(self.layer, rank) and self.family.takes_shift
        return fits and is_whole and in_one_group

    def _normalized(self, kernel, bias, scale, shift):
        """Returns kernel and bias of the map of inputs that are scaled and shifted by channel."""
        shape = [1] * len(kernel.shape)
        shape[-2] = -1  # the input channels
        shifted = kernel * ops.reshape(shift, shape)
        axes = tuple(range(len(kernel.shape) - (2 if self.family.outputs == "last_two" else 1)))
        extra = ops.reshape(ops.sum(shifted, axis=axes), (-1,))
        return kernel * ops.reshape(scale, shape), extra if bias is None else bias + extra

    def _scaled(self, kernel, scale):
        """Returns the kernel with each output channel scaled."""
        if self.family.outputs == "before_last":
            return kernel * scale[:, None]
        if self.family.outputs == "last_two":
            return kernel * ops.reshape(scale, kernel.shape[-2:])
        return kernel * scale

    def _along_channels(self, values, rank):
        """Shapes a bias so that it broadcasts along the map's output."""
        if self.family.outputs is None:
            return values
        shape = [1] * rank
        shape[_channel_axis(self.layer, rank)] = -1
        return ops.reshape(values, shape)


def linear_maps(layer):
    """Returns the linear maps that a weighted layer applies in turn; empty if it is none.

    A layer whose class overrides `call`, or whose weights are quantized, is none.
    """
    base = next((cls for cls in (*_FAMILIES, *_SEPARABLE) if isinstance(layer, cls)), None)
    if base is None or type(layer).call is not base.call:
        return ()
    if getattr(layer, "quantization_mode", None) is not None:
        return ()
    if base in _SEPARABLE:
        return (
            LinearMap(layer, _DEPTHWISE_PART, has_bias=False),
            LinearMap(layer, _POINTWISE_PART),
        )
    return (LinearMap(layer, _FAMILIES[base]),)


def affine(normalization, dtype):
    """Returns scale and shift of a BatchNormalization at inference, `(channels,)` each."""
    layer = normalization
    scale = ops.rsqrt(detached(layer.moving_variance, dtype) + layer.epsilon)
    if layer.scale:
        scale = scale * detached(layer.gamma, dtype)
    shift = -detached(layer.moving_mean, dtype) * scale
    return scale, shift + detached(layer.beta, dtype) if layer.center else shift


def _channel_axis(layer, rank):
    first = getattr(layer, "data_format", "channels_last") == "channels_first"
    return 1 if first else rank - 1


def _dense(layer, x, kernel):
    return ops.matmul(x, kernel)


def _einsum(layer, x, kernel):
    return ops.einsum(layer.equation, x, kernel)


def _convolution(layer, x, kernel):
    padding = layer.padding
    if padding == "causal":
        left = layer.dilation_rate[0] * (layer.kernel_size[0] - 1)
        time_first = layer.data_format == "channels_last"
        x = ops.pad(x, [[0, 0], [left, 0], [0, 0]] if time_first else [[0, 0], [0, 0], [left, 0]])
        padding = "valid"
    return ops.conv(x, kernel, list(layer.strides), padding, layer.data_format, layer.dilation_rate)


def _transposed(layer, x, kernel):
    return ops.conv_transpose(
        x,
        kernel,
        list(layer.strides),
        layer.padding,
        layer.output_padding,
        layer.data_format,
        layer.dilation_rate,
    )


def _depthwise(layer, x, kernel):
    return ops.depthwise_conv(
        x, kernel, layer.strides, layer.padding, layer.data_format, layer.dilation_rate
    )


def _pointwise(layer, x, kernel):
    return ops.conv(x, kernel, 1, "valid", layer.data_format)


_CONVOLUTION = Family(_convolution)
_TRANSPOSED = Family(_transposed, outputs="before_last", takes_shift=False)
_DEPTHWISE = Family(_depthwise, outputs="last_two")
_DEPTHWISE_PART = Family(_depthwise, "depthwise_kernel", "last_two")
_POINTWISE_PART = Family(_pointwise, "pointwise_kernel")

_FAMILIES = {
    keras.layers.Dense: Family(_dense),
    keras.layers.EinsumDense: Family(_einsum, outputs=None, takes_shift=False),
    keras.layers.Conv1D: _CONVOLUTION,
    keras.layers.Conv2D: _CONVOLUTION,
    keras.layers.Conv3D: _CONVOLUTION,
    keras.layers.Conv1DTranspose: _TRANSPOSED,
    keras.layers.Conv2DTranspose: _TRANSPOSED,
    keras.layers.Conv3DTranspose: _TRANSPOSED,
    keras.layers.DepthwiseConv1D: _DEPTHWISE,
    keras.layers.DepthwiseConv2D: _DEPTHWISE,
}

_SEPARABLE = (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)

CONVOLUTIONS = (*(cls for cls in _FAMILIES if "Conv" in cls.__name__), *_SEPARABLE)
DENSE = (keras.layers.Dense, keras.layers.EinsumDense)
