"""Players: which input elements join a coalition together."""

import dataclasses

import keras
import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Players:
    """The players of some rows, numbered across the model's inputs.

    Attributes:
        segments: For each input, flat, the player of every element of a row, an int array in the
            row's shape; None for an input that is held fixed.
        count: The number of players.
    """

    segments: list
    count: int

    def spread(self, values, inputs):
        """Returns each player's value divided evenly among its elements.

        Args:
            values: One per player, `(batch, players)` or `(batch, players, outputs)`.
            inputs: The explained arrays, flat.

        Returns:
            For each input an array of its shape, with an axis of outputs more where `values` has
            one; zero where an input is held fixed.
        """
        outputs = values.shape[2:]
        return [
            np.zeros(array.shape + outputs) if ids is None else shares(values, ids, self.count)
            for array, ids in zip(inputs, self.segments, strict=True)
        ]


def number_players(inputs, players, held):
    """Returns the `Players` of a batch.

    Args:
        inputs: The batches of all inputs, flat.
        players: For each input what `segment` takes.
        held: For each input whether it is held fixed and has no players.

    Raises:
        ValueError: All inputs are held fixed, or see `segment`.
    """
    segments, count = [], 0
    for array, setting, is_held in zip(inputs, players, held, strict=True):
        if is_held:
            segments.append(None)
            continue
        ids, number = segment(array, setting)
        segments.append(ids + count)
        count += number
    if not count:
        raise ValueError(
            "Every input is held fixed, its baseline being None: nobody is left to play. Give a "
            "baseline for the inputs to explain."
        )
    return Players(segments, count)


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


def shares(values, ids, count):
    """Returns each player's value divided evenly among its elements, `(batch, *ids.shape, ...)`.

    Args:
        values: One per player, `(batch, players)` or `(batch, players, outputs)`.
        ids: The player of each element of a row.
        count: The number of players.
    """
    sizes = np.maximum(np.bincount(ids.ravel(), minlength=count), 1)
    return (values / np.expand_dims(sizes, tuple(range(1, values.ndim - 1))))[:, ids]


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
