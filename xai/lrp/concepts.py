"""Concepts: the channels of a layer through which alone relevance may pass."""

import numpy as np


def masks(through, output_of, rows):
    """Returns, by layer name, what the relevance of the layer's outputs is multiplied by.

    Args:
        through: A dict of layer names to channels: an int, several, or a bool array
            `(batch, channels)`.
        output_of: A function of a layer's name to the place of its outputs and their channel axis.
        rows: The number of rows.

    Returns:
        Float arrays `(batch, ...)` of the rank of the outputs.

    Raises:
        TypeError: `through` is no dict, or channels are neither ints nor bools.
        ValueError: An unknown layer or channel, or an array of another shape.
    """
    if not isinstance(through, dict):
        raise TypeError(
            "through is a dict of layer names to channels, such as {'conv2': [3, 5]}; received "
            f"{type(through).__name__}."
        )
    return {
        name: _mask(name, channels, *output_of(name), rows) for name, channels in through.items()
    }


def _mask(name, channels, place, axis, rows):
    size = place.shape[axis]
    channels = np.asarray(channels)
    if channels.dtype == bool:
        chosen = _checked_rows(name, channels, (rows, size))
    else:
        chosen = np.broadcast_to(_chosen(name, channels, size), (rows, size))
    shape = [rows] + [1] * (len(place.shape) - 1)
    shape[axis] = size
    return np.ascontiguousarray(chosen, "float32").reshape(shape)


def _checked_rows(name, chosen, shape):
    if chosen.shape != shape:
        raise ValueError(
            f"A bool array of channels of {name!r} has the shape (batch, channels), here {shape}; "
            f"received {chosen.shape}."
        )
    return chosen


def _chosen(name, channels, size):
    """Returns which of so many channels are among those named."""
    if channels.ndim > 1 or channels.size == 0 or not np.issubdtype(channels.dtype, np.integer):
        raise TypeError(
            f"Channels of {name!r} are an int, several, or a bool array (batch, channels); "
            f"received {channels.dtype} of shape {channels.shape}."
        )
    channels = np.atleast_1d(channels)
    bad = channels[(channels < 0) | (channels >= size)]
    if bad.size:
        raise ValueError(
            f"The layer {name!r} has {size} channels, 0 to {size - 1}; received {bad[0]}."
        )
    return np.isin(np.arange(size), channels)
