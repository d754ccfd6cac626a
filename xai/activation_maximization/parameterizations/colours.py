"""Colours whose three channels are uncorrelated in natural images."""

import numpy as np
from keras import ops

# A root of the covariance of red, green and blue in photographs, as lucid has it.
_ROOT = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
_MATRIX = _ROOT / np.linalg.norm(_ROOT, axis=0).max()


def are_colours(shape):
    """Whether rows of a shape are images of three channels."""
    return len(shape) == 3 and shape[-1] == 3


def correlate(x):
    """Returns a tensor of uncorrelated channels as red, green and blue, `(..., 3)`.

    The first channel is the brightness, the others are red against blue and violet against green.

    Source: Olah, Mordvintsev & Schubert 2017, Feature visualization (Distill).
    """
    return ops.matmul(x, ops.convert_to_tensor(_MATRIX.T, x.dtype))


def decorrelate(x):
    """Returns the array that `correlate` maps to `x`."""
    return np.asarray(x, "float64") @ np.linalg.inv(_MATRIX).T
