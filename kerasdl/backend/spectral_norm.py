"""The largest singular value of a matrix, by power iteration."""

import keras
import numpy as np
from keras import ops


def spectral_norm(matrix, iterations):
    """Returns the largest singular value of a matrix and its unit singular vectors.

    ```
    u = matrix v / |matrix v|,  v = matrix^T u / |matrix^T u|,  over and over;  sigma = u^T matrix v
    ```

    The start is fixed, so that the same matrix gives the same numbers, and random, so that it is
    orthogonal to the singular vector sought only for a matrix made to be so. `sigma` is never above
    the true value; its error shrinks by `(sigma_2 / sigma_1)**4` with every iteration. The gradient
    of `sigma` is `u v^T`, that of the true value once the iteration has converged. A matrix of
    zeros has `sigma`, `u` and its gradient 0.

    Args:
        matrix: Of shape `(rows, columns)`; the number of columns must be known. 16 bits are
            computed in 32.
        iterations: How many, at least 1.

    Returns:
        `sigma`, a scalar; `u` of shape `(rows,)`; `v` of shape `(columns,)`; at least float32.

    Source:
        Yoshida, Miyato: Spectral norm regularization for improving the generalizability of deep
        learning, 2017 (arXiv 1705.10941), algorithm 1, there with one iteration from a kept vector.
    """
    matrix = ops.convert_to_tensor(matrix)
    dtype = keras.backend.result_type(matrix.dtype, "float32")
    matrix = ops.cast(matrix, dtype)
    constant = ops.stop_gradient(matrix)
    largest = ops.max(ops.abs(constant))
    scaled = constant / ops.where(largest > 0, largest, ops.ones_like(largest))

    def improve(_, v):
        return _unit(ops.matmul(_unit(ops.matmul(scaled, v)), scaled))

    start = ops.convert_to_tensor(_start(matrix.shape[1]), dtype=dtype)
    v = ops.stop_gradient(ops.fori_loop(0, iterations, improve, start))
    u = ops.stop_gradient(_unit(ops.matmul(scaled, v)))
    return ops.sum(u * ops.matmul(matrix, v)), u, v


def _start(size):
    """Random signs of nearly equal sizes: structured singular vectors are orthogonal to neither."""
    random = np.random.default_rng(0)
    vector = random.choice([-1.0, 1.0], size) * random.uniform(0.8, 1.2, size)
    return vector / np.linalg.norm(vector)


def _unit(vector):
    length = ops.sqrt(ops.sum(ops.square(vector)))
    return vector / ops.where(length > 0, length, ops.ones_like(length))
