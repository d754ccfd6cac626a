"""The dtype in which losses are computed."""

import keras
from keras import ops


def at_least_float32(tensor):
    """Returns a floating-point tensor in its own dtype, or in float32 if it has only 16 bits."""
    # Not by keras.backend.result_type, which makes float32 of float64 on JAX and torch.
    short = keras.backend.standardize_dtype(tensor.dtype) in ("float16", "bfloat16")
    return ops.cast(tensor, "float32") if short else tensor
