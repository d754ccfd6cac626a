"""Players: which input elements join a coalition together."""

import keras
import numpy as np


def segment(inputs, players):
    """Returns the player of every input element of one row, and the number of players.

    Args:
        inputs: A batch of inputs, `(batch, ...)`.
        players: None: every element, for images all channels of a pixel together; an int `p`:
            square patches of `p` by `p` pixels; an int array of segment ids in the shape of a row,
            with or without its last axis; equal ids are one player.

    Returns:
        An int array `inputs.shape[1:]` with values from 0, and the number of players.

    Raises:
        ValueError: Patches of something that is no image, or ids of another shape.
        TypeError: Ids that are not integers.
    """
    shape = inputs.shape[1:]
    if players is None:
        ids = _elements(shape)
    elif isinstance(players, int | np.integer):
        ids = _patches(shape, int(players))
    else:
        ids = _given(shape, np.asarray(players))
    numbers, places = np.unique(ids, return_inverse=True)
    return places.reshape(shape), len(numbers)


def spread(player_values, segments):
    """Returns each player's value divided evenly among its elements, `(batch, *segments.shape)`."""
    sizes = np.bincount(segments.ravel())
    return (player_values / sizes)[:, segments]


def _is_image(shape):
    return len(shape) >= 3


def _channel_axis():
    return 0 if keras.config.image_data_format() == "channels_first" else -1


def _elements(shape):
    if not _is_image(shape):
        return np.arange(np.prod(shape)).reshape(shape)
    axis = _channel_axis()
    pixels = np.delete(shape, axis)
    ids = np.expand_dims(np.arange(np.prod(pixels)).reshape(pixels), axis)
    return np.broadcast_to(ids, shape)


def _patches(shape, size):
    if len(shape) != 3 or size < 1:
        raise ValueError(
            f"players={size} means square patches of an image (height, width, channels); received "
            f"inputs of shape {shape}. Use None for every element, or an array of segment ids."
        )
    axis = _channel_axis()
    height, width = np.delete(shape, axis)
    rows, columns = np.arange(height) // size, np.arange(width) // size
    ids = rows[:, None] * (width // size + 1) + columns[None, :]
    return np.broadcast_to(np.expand_dims(ids, axis), shape)


def _given(shape, ids):
    if not np.issubdtype(ids.dtype, np.integer):
        raise TypeError(f"Segment ids are integers; received {ids.dtype}.")
    if ids.shape == shape:
        return ids
    axis = _channel_axis() if _is_image(shape) else -1
    if ids.shape == tuple(np.delete(shape, axis)) and len(shape) > 1:
        return np.broadcast_to(np.expand_dims(ids, axis), shape)
    raise ValueError(
        f"Segment ids have the shape of a row, {shape}, with or without its channels; received "
        f"{ids.shape}."
    )
