"""The dtype in which losses are computed."""

import keras
from keras import ops


def at_least_float32(tensor):
    """Returns a floating-point tensor in its own dtype, or in float32 if it has only 16 bits."""
    return ops.cast(tensor, keras.backend.result_type(tensor.dtype, "float32"))
