"""Normalization of each channel of each sample by itself."""

from typing import ClassVar

import keras
import numpy as np
from keras import ops

from kerasdl.layers import arguments
from kerasdl.registry import register


@register
class InstanceNormalization(keras.layers.Layer):
    """Gives each channel of each sample the mean 0 and the variance 1 over all other axes.

    ```
    y = scale * (x - mean(x)) / sqrt(var(x) + epsilon) + offset
    ```

    Without a mask it equals `keras.layers.GroupNormalization(groups=-1)`. A mask that comes with
    the input takes its positions out of the statistics, so that padding changes nothing. The
    statistics are computed in at least float32.

    Args:
        axis: The axis of the channels.
        epsilon: Positive number that is added to the variance.
        center: Whether a trained offset is added to each channel.
        scale: Whether each channel is multiplied by a trained factor.
        **kwargs: `name`, `dtype` and the other arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, ..., channels)`, at least one axis besides batch and channels; the size of `axis`
        must be known.

    Output shape:
        The input's.

    Raises:
        ValueError: `epsilon` is not positive or `axis` no integer; at the first call: the input
            has fewer than three axes, or `axis` cannot be its axis of channels.

    Example:
        >>> y = InstanceNormalization()(keras.Input((32, 32, 3)))

    Source:
        Ulyanov, Vedaldi, Lempitsky: Instance normalization, the missing ingredient for fast
        stylization, 2016 (arXiv 1607.08022).
    """

    search_space: ClassVar = {"epsilon": {"min_value": 1e-6, "max_value": 1e-2, "sampling": "log"}}

    @classmethod
    def example_inputs(cls):
        """Returns images: a matrix has nothing to take statistics over."""
        return np.random.default_rng(0).normal(size=(2, 4, 3, 2)).astype("float32")

    def __init__(self, axis=-1, epsilon=1e-3, center=True, scale=True, **kwargs):
        super().__init__(**kwargs)
        name = "InstanceNormalization"
        self.axis = arguments.integer(name, "axis", axis, "Use -1 for channels last.")
        self.epsilon = arguments.positive(name, "epsilon", epsilon, "Use 1e-3.")
        self.center = bool(center)
        self.scale = bool(scale)
        self.supports_masking = True

    def build(self, input_shape):
        """Creates the factors and offsets that were asked for."""
        size = arguments.size_of_axis("InstanceNormalization", self.axis, input_shape)
        if len(input_shape) < 3:
            raise ValueError(
                f"InstanceNormalization got an input of shape {tuple(input_shape)}, but takes its "
                "statistics over the axes besides batch and channels. Use "
                "keras.layers.LayerNormalization for vectors."
            )
        settings = {"shape": (size,), "autocast": False}
        self.gamma = self.beta = None
        if self.scale:
            self.gamma = self.add_weight(name="gamma", initializer="ones", **settings)
        if self.center:
            self.beta = self.add_weight(name="beta", initializer="zeros", **settings)

    def call(self, inputs, mask=None):
        """Returns the inputs normalized; masked positions do not count in the statistics."""
        x = ops.cast(inputs, keras.backend.result_type(self.compute_dtype, "float32"))
        share = _shares(x, mask, self._axes_of_statistics(x))
        centered = x - self._mean(x, share)
        variance = self._mean(ops.square(centered), share)
        y = centered * ops.rsqrt(variance + self.epsilon)
        if self.gamma is not None:
            y = y * self._along_channels(self.gamma, y)
        if self.beta is not None:
            y = y + self._along_channels(self.beta, y)
        return ops.cast(y, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """Returns the input's shape."""
        return input_shape

    def get_config(self):
        """Returns the constructor's arguments."""
        own = {name: getattr(self, name) for name in ("axis", "epsilon", "center", "scale")}
        return {**super().get_config(), **own}

    def _axes_of_statistics(self, x):
        ndim = len(x.shape)
        return tuple(axis for axis in range(1, ndim) if axis != self.axis % ndim)

    def _mean(self, x, share):
        axes = self._axes_of_statistics(x)
        if share is None:
            return ops.mean(x, axis=axes, keepdims=True)
        return ops.sum(x * share, axis=axes, keepdims=True)

    def _along_channels(self, weight, x):
        shape = [1] * len(x.shape)
        shape[self.axis] = -1
        return ops.reshape(ops.cast(weight, x.dtype), shape)


def _shares(x, mask, axes):
    """The share of each position in its mean, or None where all have the same."""
    if mask is None:
        return None
    missing = (1,) * (len(x.shape) - len(mask.shape))
    counted = ops.reshape(ops.cast(mask, x.dtype), (*ops.shape(mask), *missing))
    counted = counted * ops.ones_like(x)
    return counted / ops.maximum(ops.sum(counted, axis=axes, keepdims=True), 1)
