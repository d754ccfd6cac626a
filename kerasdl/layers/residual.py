"""A shortcut around a layer."""

from typing import ClassVar

import keras
import numpy as np

from kerasdl.layers.layer_wrapper import LayerWrapper
from kerasdl.registry import register


@register
class Residual(LayerWrapper):
    """Adds a layer's input to its output.

    ```
    y = x + layer(x)
    ```

    Several layers go into one `keras.Sequential`; `LayerScale` or `StochasticDepth` may end it.
    The layer must keep the shape: nothing is broadcast or projected, so that the shortcut stays the
    identity. Where shapes must change, add the projection yourself with `keras.layers.Add`. The
    mask of the input is the mask of the sum.

    Args:
        layer: The layer of the branch.
        **kwargs: `name`, `dtype` (default: the layer's) and the other arguments of
            `keras.layers.Layer`.

    Input shape:
        What the layer takes.

    Output shape:
        The input's.

    Raises:
        ValueError: `layer` is no layer; at the first call: its output has another shape than its
            input.

    Example:
        >>> y = Residual(keras.layers.Conv2D(16, 3, padding="same", activation="relu"))(x)

    Source:
        He, Zhang, Ren, Sun: Deep residual learning for image recognition, 2016 (arXiv 1512.03385),
        equation 1.
    """

    other_settings: ClassVar[dict] = {"layer": lambda: keras.layers.Dense(3, activation="tanh")}

    @classmethod
    def example(cls):
        """Returns a shortcut around a dense layer."""
        return cls(keras.layers.Dense(3))

    @classmethod
    def example_inputs(cls):
        """Returns vectors of the dense layer's size."""
        return np.random.default_rng(0).normal(size=(4, 3)).astype("float32")

    def __init__(self, layer, **kwargs):
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def build(self, input_shape):
        """Builds the layer, or refuses one that changes the shape."""
        self.compute_output_shape(input_shape)
        super().build(input_shape)

    def call(self, inputs, mask=None):
        """Returns the sum of the inputs and the layer's outputs."""
        return inputs + self.call_layer(inputs, mask)

    def compute_output_shape(self, input_shape):
        """Returns the input's shape.

        Raises:
            ValueError: The layer changes it.
        """
        output_shape = self.layer.compute_output_shape(input_shape)
        if not _same(input_shape, output_shape):
            raise ValueError(
                f"Residual(layer={self.layer.name!r}): the layer maps the shape "
                f"{tuple(input_shape)} to {tuple(output_shape)}, but only equal shapes can be "
                "added. Keep the shape, or add a projection with keras.layers.Add."
            )
        return input_shape

    def compute_mask(self, inputs, previous_mask):
        """Returns the inputs' mask."""
        return previous_mask


def _same(shape, other):
    return len(shape) == len(other) and all(
        size == other_size or None in (size, other_size)
        for size, other_size in zip(shape, other, strict=True)
    )
