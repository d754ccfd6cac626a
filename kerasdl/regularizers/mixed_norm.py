"""A norm of the norms of groups of weights."""

import math
import numbers
from typing import ClassVar

import keras
from keras import ops

from kerasdl.registry import register
from kerasdl.regularizers.factor import checked_factor, checked_number


@register
class MixedNorm(keras.regularizers.Regularizer):
    """The q-norm over groups of the p-norm within each group.

    ```
    penalty = factor * (sum_i (sum_j |w_ij|**p) ** (q / p)) ** (1 / q)
    ```

    i counts the groups, along `axis`; j counts the weights of a group, along all other axes. By
    default a group is all that leads to one output: a column of a `Dense` kernel `(inputs, units)`,
    a filter of a convolution kernel `(height, width, channels, filters)`. `p=1, q=2` (the default,
    the root of the exclusive lasso) makes weights of the same group compete; `p=2, q=1` (the group
    lasso) makes whole groups vanish; `p = q` is the p-norm of all weights.

    The gradient of a group of zeros is 0, one of its subgradients, and nothing is added under the
    root: the penalty is homogeneous, and 0 at 0.

    Args:
        factor: Weight of the penalty, at least 0.
        p: Order of the norm within a group, at least 1.
        q: Order of the norm over the groups, at least 1.
        axis: The axis, or several, along which the groups lie; `(-2, -1)` for the kernel of a
            `DepthwiseConv2D`, whose filters lie along the last two.

    Raises:
        ValueError: `factor` is negative, `p` or `q` is less than 1, one of them is not finite,
            `axis` holds no integer, or, when called, the weight lacks such an axis.

    Example:
        >>> keras.layers.Dense(8, kernel_regularizer=MixedNorm(1e-3, p=2, q=1))

    Source:
        The founding notes (`p=1, q=2`). Kowalski: Sparse regression using mixed norms, 2009. Yuan,
        Lin: Model selection and estimation in regression with grouped variables, 2006. Zhou, Jin,
        Hoi: Exclusive lasso for multi-task feature selection, 2010.
    """

    search_space: ClassVar = {
        "factor": {"min_value": 1e-6, "max_value": 1e-1, "sampling": "log"},
        "p": [1.0, 2.0],
        "q": [1.0, 2.0],
    }

    def __init__(self, factor=0.01, p=1.0, q=2.0, axis=-1):
        self.factor = checked_factor(self, factor)
        self.p = checked_number(self, "p", p, 1, "1")
        self.q = checked_number(self, "q", q, 1, "2")
        self.axis = self._checked_axis(axis)

    def __call__(self, weights):
        """Returns the penalty, a scalar of the weights' dtype."""
        weights = ops.convert_to_tensor(weights)
        axes = self._axes_in(tuple(weights.shape))
        sizes = ops.abs(ops.moveaxis(weights, axes, tuple(range(len(axes)))))
        groups = ops.reshape(sizes, (math.prod(sizes.shape[: len(axes)]), -1))
        return self.factor * _norm(_norm(groups, self.p), self.q)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {"factor": self.factor, "p": self.p, "q": self.q, "axis": self.axis}

    def _checked_axis(self, axis):
        if isinstance(axis, numbers.Integral):
            return int(axis)
        if (
            not isinstance(axis, tuple | list)
            or not axis
            or not all(isinstance(one, numbers.Integral) for one in axis)
        ):
            raise ValueError(
                f"{type(self).__name__}(axis={axis!r}): axis must be an integer or a tuple of "
                "integers. Use -1 to make a group of all that leads to one output."
            )
        return tuple(int(one) for one in axis)

    def _axes_in(self, shape):
        axes = (self.axis,) if isinstance(self.axis, int) else self.axis
        ndim = len(shape)
        inside = {axis % ndim for axis in axes if -ndim <= axis < ndim}
        if len(inside) != len(axes):
            raise ValueError(
                f"{type(self).__name__}(axis={self.axis}) cannot group a weight of shape {shape}: "
                f"give different axes from {-ndim} to {ndim - 1}."
            )
        return axes


def _norm(values, order):
    """The norm of non-negative values along the last axis, with the gradient 0 where all are 0."""
    # Scaled by the largest, no power can overflow or underflow. A norm is homogeneous, so that its
    # gradient needs no derivative of the scale.
    largest = ops.stop_gradient(ops.max(values, axis=-1, keepdims=True))
    ones = ops.ones_like(largest)
    scale = ops.where(largest > 0, largest, ones)
    total = ops.sum(ops.power(values / scale, order), axis=-1, keepdims=True)
    root = ops.power(ops.where(largest > 0, total, ones), 1 / order)
    return ops.squeeze(largest * root, axis=-1)
