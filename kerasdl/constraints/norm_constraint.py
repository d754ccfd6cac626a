"""What the norm constraints share: shrinking weights whose norm is too large."""

import abc
import math
import numbers

import keras
from keras import ops


class NormConstraint(keras.constraints.Constraint, abc.ABC):
    """Scales weights by `min(1, max_value / norm)`, which leaves all others alone.

    The norm is taken of weights scaled to at most 1, in at least float32: it neither overflows nor
    underflows.
    """

    def __init__(self, max_value):
        if not (isinstance(max_value, numbers.Real) and 0 < max_value < math.inf):
            raise ValueError(
                f"{type(self).__name__}(max_value={max_value!r}): max_value must be a positive "
                "finite number. Give the largest norm allowed, such as 1.0."
            )
        self.max_value = float(max_value)

    def __call__(self, w):
        """Returns the weights, shrunk where their norm is above `max_value`."""
        weights = ops.convert_to_tensor(w)
        dtype = keras.backend.result_type(weights.dtype, "float32")
        exact = ops.cast(weights, dtype)
        largest = ops.max(ops.abs(exact))
        scale = ops.where(largest > 0, largest, ops.ones_like(largest))
        norm = self._norm(exact / scale)
        limit = self.max_value / scale
        above = norm > limit
        shrunk = exact * (limit / ops.where(above, norm, ops.ones_like(norm)))
        return ops.where(above, ops.cast(shrunk, weights.dtype), weights)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {"max_value": self.max_value}

    @abc.abstractmethod
    def _norm(self, weights):
        """Returns the norm, of a shape that broadcasts with the weights."""
