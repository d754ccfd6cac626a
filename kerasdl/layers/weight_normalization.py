"""A layer whose kernel is trained as lengths and directions."""

from typing import ClassVar

import keras
import numpy as np
from keras import ops

from kerasdl.layers import arguments
from kerasdl.layers.kernel_wrapper import KernelWrapper
from kerasdl.registry import register


@register
class WeightNormalization(KernelWrapper):
    """Trains the length and the direction of a layer's kernel vectors separately.

    ```
    kernel = gain * v / |v|
    ```

    v is the layer's own kernel variable and gain one trained number per vector. It begins as the
    length of v, so that the wrapper begins as the layer alone. (The paper also sets gain and bias
    by a first batch; that is not done here.) A vector of zeros counts as one of length 1, so that
    it can leave 0.

    The layer's kernel regularizer and constraint act on v, whose length does not matter to the
    output. The kernel is computed in at least float32 and then cast to the layer's dtype.

    Args:
        layer: A layer with a variable `kernel` or `embeddings`.
        axis: The axis, or several, along which the vectors lie; there is one gain per entry. -1
            makes a vector of all that leads to one output of a `Dense` or a convolution. Use -2 for
            a transposed convolution, `(-2, -1)` for a depthwise one, 0 for an `Embedding`.
        **kwargs: `name`, `dtype` (default: the layer's) and the other arguments of
            `keras.layers.Layer`.

    Input shape:
        What the layer takes.

    Output shape:
        What the layer gives.

    Raises:
        ValueError: `layer` is no layer or `axis` holds no integers; at the first call: the layer
            has no kernel, or the kernel lacks an axis.

    Example:
        >>> y = WeightNormalization(keras.layers.Dense(64, activation="relu"))(x)

    Source:
        Salimans, Kingma: Weight normalization, 2016 (arXiv 1602.07868), equation 2.
    """

    other_settings: ClassVar[dict] = {"layer": lambda: keras.layers.Dense(3), "axis": 0}

    @classmethod
    def example(cls):
        """Returns a normalized dense layer."""
        return cls(keras.layers.Dense(2))

    @classmethod
    def example_inputs(cls):
        """Returns vectors."""
        return np.random.default_rng(0).normal(size=(4, 3)).astype("float32")

    def __init__(self, layer, axis=-1, **kwargs):
        super().__init__(layer, **kwargs)
        remedy = "Use -1 for Dense and convolutions."
        if isinstance(axis, list | tuple) and axis:
            check = (arguments.integer("WeightNormalization", "axis", a, remedy) for a in axis)
            self.axis = tuple(check)
        else:
            self.axis = arguments.integer("WeightNormalization", "axis", axis, remedy)

    def build(self, input_shape=None):
        """Builds the layer and creates the gains."""
        super().build(input_shape)
        shape = tuple(self.kernel_variable.shape)
        kept = self._axes_in(shape)
        self._reduced_axes = tuple(axis for axis in range(len(shape)) if axis not in kept)
        self.gain = self.add_weight(
            name="gain",
            shape=tuple(size if axis in kept else 1 for axis, size in enumerate(shape)),
            initializer=lambda shape, dtype: ops.cast(self._lengths(self.raw_kernel()), dtype),
            autocast=False,
        )

    def computed_kernel(self, training=None):
        """Returns the kernel of the trained lengths and directions, in at least float32."""
        del training
        kernel = self.raw_kernel()
        return ops.cast(self.gain, kernel.dtype) * kernel / self._lengths(kernel)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "axis": self.axis}

    def _axes_in(self, shape):
        axes = (self.axis,) if isinstance(self.axis, int) else self.axis
        ndim = len(shape)
        inside = {axis % ndim for axis in axes if -ndim <= axis < ndim}
        if len(inside) != len(axes):
            raise ValueError(
                f"WeightNormalization(axis={self.axis}) cannot split a kernel of shape {shape}: "
                f"give different axes from {-ndim} to {ndim - 1}."
            )
        return inside

    def _lengths(self, kernel):
        squares = ops.sum(ops.square(kernel), axis=self._reduced_axes, keepdims=True)
        return ops.sqrt(ops.where(squares > 0, squares, ops.ones_like(squares)))
