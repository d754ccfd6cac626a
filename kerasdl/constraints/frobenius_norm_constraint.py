"""A bound on the length of all weights together."""

import numbers
from typing import ClassVar

from keras import ops

from kerasdl.constraints.norm_constraint import NormConstraint
from kerasdl.registry import register


@register
class FrobeniusNormConstraint(NormConstraint):
    """Weights of bounded Euclidean length.

    ```
    W = W min(1, max_value / ||W||_F),  ||W||_F = sqrt(sum w**2)
    ```

    It is the projection onto the ball: weights within are left as they are, bit for bit, and the
    constraint changes nothing when applied again, but for rounding. By default one ball holds the
    whole weight; `keras.constraints.MaxNorm` bounds the columns one by one and, since it adds an
    epsilon, shrinks even what is within.

    Args:
        max_value: The largest norm allowed.
        axis: The axis, or several, along which the norm is taken, as in `MaxNorm`; `None` for all.

    Raises:
        ValueError: `max_value` is not positive and finite, or `axis` holds no integer.

    Example:
        >>> keras.layers.Dense(8, kernel_constraint=FrobeniusNormConstraint(2.0))

    Source:
        Srebro, Rennie, Jaakkola: Maximum-margin matrix factorization, 2005, for norms as bounds.
    """

    search_space: ClassVar = {
        "max_value": {"min_value": 0.1, "max_value": 100.0, "sampling": "log"}
    }

    def __init__(self, max_value=1.0, axis=None):
        super().__init__(max_value)
        axes = axis if isinstance(axis, tuple | list) else (axis,)
        if axis is not None and not (axes and all(isinstance(a, numbers.Integral) for a in axes)):
            raise ValueError(
                f"FrobeniusNormConstraint(axis={axis!r}): axis must be None, an integer or a tuple "
                "of integers. Use None for the norm of all weights."
            )
        self.axis = axis

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "axis": self.axis}

    def _norm(self, weights):
        return ops.sqrt(ops.sum(ops.square(weights), axis=self.axis, keepdims=True))
