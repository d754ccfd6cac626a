"""A trained factor for each channel."""

from typing import ClassVar

import keras
from keras import ops

from kerasdl.layers import arguments
from kerasdl.registry import register


@register
class LayerScale(keras.layers.Layer):
    """Multiplies every channel by a trained factor that begins near 0.

    ```
    y = scale * x
    ```

    At the end of a residual branch it lets a deep network begin as nearly the identity and take
    each branch in as it proves useful. The product is computed in at least float32.

    Args:
        initial_value: Start value of all factors. The paper uses 0.1 up to 18 blocks, 1e-5 up to
            24 and 1e-6 beyond.
        axis: The axis of the channels.
        **kwargs: `name`, `dtype` and the other arguments of `keras.layers.Layer`.

    Input shape:
        Any; the size of `axis` must be known.

    Output shape:
        The input's.

    Raises:
        ValueError: `initial_value` is not a finite number or `axis` no integer; at the first call:
            the input lacks the axis, the axis is that of the batch, or its size is unknown.

    Example:
        >>> branch = keras.Sequential([keras.layers.Dense(64), LayerScale(1e-5)])
        >>> y = Residual(branch)(x)

    Source:
        Touvron, Cord, Sablayrolles, Synnaeve, Jegou: Going deeper with image transformers, 2021
        (arXiv 2103.17239), equation 4.
    """

    search_space: ClassVar = {
        "initial_value": {"min_value": 1e-6, "max_value": 1.0, "sampling": "log"}
    }

    def __init__(self, initial_value=1e-5, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.initial_value = arguments.number(
            "LayerScale", "initial_value", initial_value, "Use 1e-5 in deep networks."
        )
        self.axis = arguments.integer("LayerScale", "axis", axis, "Use -1 for channels last.")
        self.supports_masking = True

    def build(self, input_shape):
        """Creates the factors."""
        size = arguments.size_of_axis("LayerScale", self.axis, input_shape)
        self.scale = self.add_weight(
            name="scale",
            shape=(size,),
            initializer=keras.initializers.Constant(self.initial_value),
            autocast=False,
        )

    def call(self, inputs):
        """Returns the inputs, channel by channel multiplied."""
        dtype = keras.backend.result_type(self.compute_dtype, "float32")
        shape = [1] * len(inputs.shape)
        shape[self.axis] = -1
        scale = ops.reshape(ops.cast(self.scale, dtype), shape)
        return ops.cast(scale * ops.cast(inputs, dtype), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """Returns the input's shape."""
        return input_shape

    def get_config(self):
        """Returns the constructor's arguments."""
        own = {"initial_value": self.initial_value, "axis": self.axis}
        return {**super().get_config(), **own}
