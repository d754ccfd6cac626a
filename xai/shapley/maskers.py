"""Maskers by shap's protocol that look at a whole row: blends are made on the host, in batches."""

import numpy as np

from xai.shapley.game import in_batches


def num_blends(masker, row):
    """Returns how many blends of a row a masker makes of one mask."""
    return len(blends(masker, np.zeros(_mask_size(masker, row), bool), row))


def blends(masker, mask, row):
    """Returns a row masked, `(n, ...)`.

    Raises:
        ValueError: The masker returned rows of another shape.
    """
    made = masker(mask, row)
    made = np.array(made[0] if isinstance(made, tuple) else made, row.dtype)
    if made.shape[1:] != row.shape:
        raise ValueError(
            f"The masker {type(masker).__name__} is to return blends of shape {('n', *row.shape)}; "
            f"received {made.shape}."
        )
    return made


def masked_game(evaluate, table, classes, full, size):
    """Returns the game of rows that a masker masks; see `model_game`.

    Args:
        evaluate: A compiled function of inputs and classes to scores `(batch, outputs)`.
        table: A `Table` of one input with a masker.
        classes: The class to score in each row, `(rows,)`.
        full: The scores of the rows as they are, `(rows, outputs)`.
        size: Model evaluations per compiled call.

    Raises:
        ValueError: The masker's mask is neither one of elements nor one of players.
    """
    masker, (inputs,) = table.masker, table.inputs
    mask_of = _mask_players(masker, inputs[0], table.players)
    step = max(1, size // table.num_blends)

    def game(coalitions):
        values = np.broadcast_to(full, (len(coalitions), *full.shape)).copy()
        missing = np.flatnonzero(~coalitions.all(axis=1))
        for row, target in enumerate(classes):
            for some in np.split(missing, range(step, len(missing), step)):
                values[some, row] = scores(inputs[row], target, coalitions[some])
        return values

    def scores(row, target, coalitions):
        made = np.concatenate([blends(masker, mask, row) for mask in coalitions[:, mask_of]])
        found = in_batches(evaluate, [made, np.full(len(made), target)], size)
        return found.reshape(len(coalitions), -1, found.shape[-1]).mean(axis=1, dtype="float64")

    return game


def _mask_players(masker, row, players):
    """Returns the player that each entry of a masker's mask belongs to."""
    (segments,), size = players.segments, _mask_size(masker, row)
    if size == segments.size:
        return segments.ravel()
    if size == players.count:
        return np.arange(size)
    raise ValueError(
        f"The masker {type(masker).__name__} takes masks of {size} entries; expected one for each "
        f"of {segments.size} elements or {players.count} players. Pass as players the segment ids "
        "that the masker masks."
    )


def _mask_size(masker, row):
    shape = masker.shape(row) if callable(masker.shape) else masker.shape
    return shape[1]
