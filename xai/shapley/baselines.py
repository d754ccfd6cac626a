"""Baselines: what stands in the place of a player that is absent."""

import numpy as np


def resolve(baseline, inputs):
    """Returns the absent values, broadcast to one row: an array `inputs.shape[1:]`.

    Args:
        baseline: A number, or an array in the shape of one row.
        inputs: The batch of inputs to explain.

    Raises:
        ValueError: Another shape, a value that is not finite, or a kind of baseline that this
            version does not have.
    """
    row = inputs.shape[1:]
    if isinstance(baseline, str) or callable(baseline):
        raise ValueError(
            f"The baseline {baseline!r} is not in this version; give a number or an array of shape "
            f"{row}."
        )
    array = np.asarray(baseline, inputs.dtype)
    if array.shape not in ((), row):
        raise ValueError(
            f"A baseline is a number or an array of the shape of one input, {row}; received "
            f"{array.shape}. Average background rows first: x.mean(axis=0)."
        )
    if not np.isfinite(array).all():
        raise ValueError("The baseline has NaN or infinite values.")
    return np.broadcast_to(array, row)
