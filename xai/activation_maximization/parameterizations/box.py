"""Keeping values within bounds, and the way back."""

import numpy as np
from keras import ops

_MARGIN = 1 / 512  # as a share of the box: half a step of 8-bit images


def require_finite(parameterization, low, high):
    """Refuses bounds into which nothing can be squashed.

    Raises:
        ValueError: They are not finite.
    """
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise ValueError(
            f"{type(parameterization).__name__} squashes into finite bounds; received bounds from "
            f"{np.min(low)} to {np.max(high)}. Pass those of the model's inputs."
        )


def squash(x, low, high):
    """Returns a tensor mapped into bounds by a sigmoid, zero to their middle."""
    low, high = (ops.convert_to_tensor(bound, x.dtype) for bound in (low, high))
    return ops.clip(low + (high - low) * ops.sigmoid(x), low, high)  # rounding may lead out


def unsquash(x, low, high):
    """Returns the array that `squash` maps to `x`, or next to it where a bound is too near."""
    share = (np.asarray(x, "float64") - low) / (np.asarray(high, "float64") - low)
    share = np.clip(share, _MARGIN, 1 - _MARGIN)
    return np.log(share / (1 - share))
