"""A penalty on the largest singular value."""

import numbers
from typing import ClassVar

import keras
from keras import ops

from kerasdl.backend import spectral_norm
from kerasdl.registry import register
from kerasdl.regularizers.factor import checked_factor


@register
class SpectralNormRegularizer(keras.regularizers.Regularizer):
    """Half the square of the spectral norm, the most that a linear map can stretch a vector.

    ```
    penalty = factor / 2 * sigma**2,  sigma = max |W x| / |x|
    ```

    The kernel of a convolution counts as the matrix `(height * width * channels, filters)`, as in
    the paper; the convolution itself stretches by at most `sqrt(height * width)` times more (at
    stride 1). A vector counts as a matrix of one row, so that its sigma is its length.

    Each call iterates anew from the same start: the paper's single iteration suffices only for a
    vector kept from step to step, which a regularizer cannot own. Too few iterations make sigma too
    small, never too large. The gradient `factor sigma u v^T` is 0 at 0.

    Args:
        factor: Weight of the penalty, at least 0.
        iterations: Power iterations, each as dear as the layer on two samples.

    Raises:
        ValueError: `factor` is negative or not finite, `iterations` is no positive integer, or,
            when called, the weight is a scalar.

    Example:
        >>> keras.layers.Dense(8, kernel_regularizer=SpectralNormRegularizer(1e-2))

    Source:
        Yoshida, Miyato: Spectral norm regularization for improving the generalizability of deep
        learning, 2017 (arXiv 1705.10941).
    """

    search_space: ClassVar = {
        "factor": {"min_value": 1e-5, "max_value": 1.0, "sampling": "log"},
    }

    def __init__(self, factor=0.01, iterations=20):
        self.factor = checked_factor(self, factor)
        if not isinstance(iterations, numbers.Integral) or iterations < 1:
            raise ValueError(
                f"SpectralNormRegularizer(iterations={iterations!r}): iterations must be an "
                "integer of at least 1. The default is 20."
            )
        self.iterations = int(iterations)

    def __call__(self, weights):
        """Returns the penalty, a scalar of the weights' dtype."""
        weights = ops.convert_to_tensor(weights)
        if len(weights.shape) == 0:
            raise ValueError(
                "SpectralNormRegularizer takes a vector, a matrix or a convolution kernel, not a "
                "scalar. Use keras.regularizers.L2 for it."
            )
        matrix = ops.reshape(weights, (-1, weights.shape[-1]))
        sigma, _, _ = spectral_norm(matrix, self.iterations)
        return ops.cast(self.factor / 2 * ops.square(sigma), weights.dtype)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {"factor": self.factor, "iterations": self.iterations}
