"""A penalty on filters that are not orthonormal."""

from typing import ClassVar

import keras
from keras import ops

from kerasdl.registry import register
from kerasdl.regularizers.factor import checked_factor


@register
class SoftOrthogonal(keras.regularizers.Regularizer):
    """The distance of the weights' Gram matrix from the identity.

    ```
    penalty = factor * ||W^T W - I||_F**2
    ```

    W is the kernel as a matrix `(rest, filters)`. Where it has more columns than rows, the columns
    cannot be orthonormal, and the rows are made so: `||W W^T - I||_F**2` is smaller than the
    formula by the number of columns too many, and has the same gradient. Keras'
    `OrthogonalRegularizer` takes matrices alone and leaves the lengths of their rows free.

    Args:
        factor: Weight of the penalty, at least 0.

    Raises:
        ValueError: `factor` is negative or not finite, or, when called, the weight is a scalar.

    Example:
        >>> keras.layers.Conv2D(8, 3, kernel_regularizer=SoftOrthogonal(1e-3))

    Source:
        Bansal, Chen, Wang: Can we gain more from orthogonality regularizations in training deep
        CNNs?, 2018 (arXiv 1810.09102), equation 2.
    """

    search_space: ClassVar = {
        "factor": {"min_value": 1e-6, "max_value": 1e-1, "sampling": "log"},
    }

    def __init__(self, factor=0.01):
        self.factor = checked_factor(self, factor)

    def __call__(self, weights):
        """Returns the penalty, a scalar of the weights' dtype."""
        weights = ops.convert_to_tensor(weights)
        if len(weights.shape) == 0:
            raise ValueError(
                "SoftOrthogonal takes a vector, a matrix or a convolution kernel, not a scalar. "
                "Use keras.regularizers.L2 for it."
            )
        dtype = keras.backend.result_type(weights.dtype, "float32")
        matrix = ops.cast(ops.reshape(weights, (-1, weights.shape[-1])), dtype)
        rows, columns = matrix.shape
        wide = rows is not None and rows < columns
        matrix = ops.transpose(matrix) if wide else matrix
        gram = ops.matmul(ops.transpose(matrix), matrix)
        excess = gram - ops.eye(rows if wide else columns, dtype=dtype)
        return ops.cast(self.factor * ops.sum(ops.square(excess)), weights.dtype)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {"factor": self.factor}
