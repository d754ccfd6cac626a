"""A bound on how far weights can stretch a vector."""

from typing import ClassVar

from keras import ops

from kerasdl.constraints.norm_constraint import NormConstraint
from kerasdl.registry import register


@register
class SpectralNormConstraint(NormConstraint):
    """Weights of bounded largest singular value.

    ```
    W = W min(1, max_value / sigma),  sigma = max |W x| / |x|
    ```

    The kernel of a convolution counts as the matrix `(height * width * channels, filters)`; the
    convolution itself stretches by at most `sqrt(height * width)` times more (at stride 1). A
    vector counts as a matrix of one row.

    Sigma is exact to the precision of float32: it is the root of the largest eigenvalue of the
    smaller Gram matrix, so that the bound holds after every step and the constraint changes nothing
    when applied again, but for rounding. That costs `rows * columns * n + 10 n**3` operations per
    step, where n is the smaller of the two: little beside a batch for n up to some hundred, seconds
    for some thousand. The layer wrapper `keras.layers.SpectralNormalization` is cheaper and less:
    it estimates sigma, and it stretches small kernels, too.

    All singular values are scaled alike. The nearest matrix within the bound would cut the large
    ones only; the scaling keeps the direction of the weights, as does the usual normalization.

    Args:
        max_value: The largest singular value allowed; 1 makes the layer non-expansive.

    Raises:
        ValueError: `max_value` is not positive and finite, or, when called, the weight is a scalar.

    Example:
        >>> keras.layers.Dense(8, kernel_constraint=SpectralNormConstraint(1.0))

    Source:
        Miyato, Kataoka, Koyama, Yoshida: Spectral normalization for generative adversarial
        networks, 2018 (arXiv 1802.05957). Gouk, Frank, Pfahringer, Cree: Regularisation of neural
        networks by enforcing Lipschitz continuity, 2021 (arXiv 1804.04368), algorithm 1.
    """

    search_space: ClassVar = {"max_value": {"min_value": 0.1, "max_value": 10.0, "sampling": "log"}}

    def __init__(self, max_value=1.0):
        super().__init__(max_value)

    def _norm(self, weights):
        if len(weights.shape) == 0:
            raise ValueError(
                "SpectralNormConstraint takes a vector, a matrix or a convolution kernel, not a "
                "scalar. Use FrobeniusNormConstraint for it."
            )
        matrix = ops.reshape(weights, (-1, weights.shape[-1]))
        rows, columns = matrix.shape
        matrix = ops.transpose(matrix) if rows < columns else matrix
        eigenvalues, _ = ops.eigh(ops.matmul(ops.transpose(matrix), matrix))
        return ops.sqrt(ops.maximum(ops.max(eigenvalues), 0.0))
