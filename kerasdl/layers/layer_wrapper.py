"""What layers that wrap a layer have in common."""

import inspect

import keras
from keras import ops, tree


class LayerWrapper(keras.layers.Wrapper):
    """A layer around one other layer, with its dtype policy, its shapes and its masks.

    Subclasses define `call(inputs, mask=None, ...)` with the help of `call_layer`. The wrapped
    layer is saved with the wrapper. (Unlike in the Keras base class the dtype policy, if none is
    given, is that of the layer, and `from_config` leaves its argument as it was.)
    """

    def __init__(self, layer, **kwargs):
        if not isinstance(layer, keras.layers.Layer):
            raise ValueError(
                f"{type(self).__name__}(layer={layer!r}): layer must be a Keras layer. "
                "Put several into one keras.Sequential."
            )
        if kwargs.get("dtype") is None:
            kwargs["dtype"] = layer.dtype_policy
        super().__init__(layer, **kwargs)
        self.supports_masking = layer.supports_masking

    def call_layer(self, inputs, mask=None, **arguments):
        """Returns the layer's outputs in the wrapper's dtype.

        A mask goes where the layer takes one; `training` reaches the layer through Keras' own
        context of nested calls.
        """
        if mask is not None and "mask" in inspect.signature(self.layer.call).parameters:
            arguments["mask"] = mask
        outputs = self.layer(inputs, **arguments)
        return tree.map_structure(lambda output: ops.cast(output, self.compute_dtype), outputs)

    def compute_output_shape(self, input_shape):
        """Returns the layer's output shape."""
        return self.layer.compute_output_shape(input_shape)

    def compute_mask(self, inputs, previous_mask):
        """Returns the layer's mask."""
        return self.layer.compute_mask(inputs, previous_mask)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Returns the wrapper that a config describes, with its layer."""
        return super().from_config(dict(config), custom_objects)
