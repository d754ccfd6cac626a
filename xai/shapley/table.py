"""The table of a game: rows to explain, their players, and what absent elements become."""

import dataclasses

import numpy as np

from xai.shapley import baselines, maskers
from xai.shapley.players import Players, number_players


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """Rows that play one game.

    Attributes:
        rows: The slice of the batch that they are.
        inputs: For each of the model's inputs the rows, `(rows, ...)`.
        backgrounds: For each input what absent elements become, `(n, rows or 1, ...)`; None for one
            that is held fixed, and with a masker.
        players: Their `Players`.
        masker: What makes blends of whole rows on the host, or None.
        num_blends: The number of blends that the value of one coalition averages over.
    """

    rows: slice
    inputs: list
    backgrounds: list
    players: Players
    masker: object
    num_blends: int


def lay_tables(inputs, given_baselines, players):
    """Returns the `Table` of all rows, or of each row where a callable makes its players.

    Args:
        inputs: The batches of all inputs, flat.
        given_baselines: For each input a baseline.
        players: For each input what `number_players` takes, or a callable that makes it of a row.

    Raises:
        ValueError: Baselines or players that do not fit the inputs.
    """
    plain = [baselines.plain(baseline) for baseline in given_baselines]
    held = [baseline is None for baseline in plain]
    masker = _masker_among(plain)
    pairs = zip(plain, inputs, strict=True)
    backgrounds = [None if masker else baselines.resolve(*pair) for pair in pairs]
    by_row = any(callable(ids) for ids in players)
    slices = [slice(i, i + 1) for i in range(len(inputs[0]))] if by_row else [slice(None)]
    tables = []
    for rows in slices:
        some = [array[rows] for array in inputs]
        ids = [_ids(setting, array) for setting, array in zip(players, some, strict=True)]
        tables.append(
            Table(
                rows=rows,
                inputs=some,
                backgrounds=[_of_rows(background, rows) for background in backgrounds],
                players=number_players(some, ids, held),
                masker=masker,
                num_blends=maskers.num_blends(masker, some[0][0]) if masker else _most(backgrounds),
            )
        )
    return tables


def _masker_among(plain):
    """Returns the masker of whole rows among baselines, None where there is none."""
    found = [baseline for baseline in plain if baselines.is_masker(baseline)]
    if found and len(plain) > 1:
        raise ValueError(
            f"The masker {type(found[0]).__name__} looks at whole rows, which works for models of "
            "one input; give this one a number, an array, background rows or 'blur' for each input."
        )
    return found[0] if found else None


def _ids(setting, rows):
    return np.asarray(setting(rows[0])) if callable(setting) else setting


def _of_rows(background, rows):
    return background if background is None or background.shape[1] == 1 else background[:, rows]


def _most(backgrounds):
    """Returns the number of background rows, which inputs share."""
    counts = {len(array) for array in backgrounds if array is not None}
    if len(counts - {1}) > 1:
        raise ValueError(
            "Background rows of several inputs are taken together, row by row; received "
            f"{sorted(counts)} of them. Give every input as many, or one."
        )
    return max(counts, default=1)
