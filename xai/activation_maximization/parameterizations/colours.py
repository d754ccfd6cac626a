"""Colours whose three channels are uncorrelated in natural images."""

import numpy as np
from keras import ops

from xai.activation_maximization.parameterizations.box import squash, unsquash

# A root of the covariance of red, green and blue in photographs, as lucid has it.
_ROOT = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
_MATRIX = _ROOT / np.linalg.norm(_ROOT, axis=0).max()


def to_inputs(x, low, high, decorrelated):
    """Returns a tensor squashed into bounds, `(rows, ...)`.

    Args:
        x: `(rows, ...)`.
        low: The least value of each input element.
        high: The greatest value of each input element.
        decorrelated: Whether three channels of an image, if it has so many, are uncorrelated.
    """
    return squash(correlate(x) if decorrelated and _are_three(x) else x, low, high)


def from_inputs(x, low, high, decorrelated):
    """Returns the array that `to_inputs` maps to `x`, or next to it at a bound."""
    x = unsquash(x, low, high)
    return decorrelate(x) if decorrelated and _are_three(x) else x


def correlate(x):
    """Returns a tensor of uncorrelated channels as red, green and blue, `(..., 3)`.

    The first channel is the brightness, the others are red against blue and violet against green.

    Source: Olah, Mordvintsev & Schubert 2017, Feature visualization (Distill).
    """
    return ops.matmul(x, ops.convert_to_tensor(_MATRIX.T, x.dtype))


def decorrelate(x):
    """Returns the array that `correlate` maps to `x`."""
    return np.asarray(x, "float64") @ np.linalg.inv(_MATRIX).T


def _are_three(x):
    """Whether rows are images of three channels."""
    return len(x.shape) == 4 and x.shape[-1] == 3
