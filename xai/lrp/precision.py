"""The surrogate computes in float32 at least, whatever policy the model has.

Gradients of float16 overflow where a rule divides by little; and relevance is no place to lose
digits. Float64 stays float64.
"""

import keras
from keras import ops, tree

from xai.twins import twin

_LOW = ("float16", "bfloat16")


def raised(dtype):
    """Returns the dtype to compute in for a tensor of a dtype: float64 or float32."""
    return "float64" if dtype == "float64" else "float32"


def is_float(tensor):
    """Whether a tensor, not a place, holds floating-point numbers."""
    return "float" in keras.backend.standardize_dtype(tensor.dtype)


def raise_operation(operation):
    """Returns a layer that computes in float32 and shares all else, or what is no such layer.

    Keras-private: `_dtype_policy`, and that a policy keeps its variable dtype apart.
    """
    if not isinstance(operation, keras.Layer) or operation.compute_dtype not in _LOW:
        return operation
    policy = keras.DTypePolicy("float32")
    policy._variable_dtype = operation.variable_dtype
    return twin(operation, _dtype_policy=policy)


def raise_tensors(structure):
    """Returns a structure with its tensors of low precision as float32."""

    def raise_one(leaf):
        return ops.cast(leaf, "float32") if str(getattr(leaf, "dtype", "")) in _LOW else leaf

    return tree.map_structure(raise_one, structure)
