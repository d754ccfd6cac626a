"""The game of a Keras model: coalitions of players to scores, on the device, in fixed batches."""

import dataclasses

import numpy as np
from keras import ops, tree

from kerasdl.backend import jit


@dataclasses.dataclass(frozen=True)
class Batch:
    """How many coalitions, background rows and explained rows one compiled call blends."""

    coalitions: int
    backgrounds: int
    rows: int

    @classmethod
    def plan(cls, size, evaluations, backgrounds, rows, pairs=None):
        """Returns a batch of at most `size` blends.

        Of coalitions it has at most a sixteenth of what a row spends, so that a last batch that is
        not full costs little, and with many rows a quarter of that; in powers of two, so that
        budgets share compiled functions.

        Args:
            size: The most blends.
            evaluations: Coalitions to come.
            backgrounds: The number of background rows.
            rows: The number of rows to explain.
            pairs: The most pairs of a background row and an explained row.
        """
        most = 2 ** int(np.log2(max(evaluations // 16, 8)))
        coalitions = min(size, most, max(size // rows, most // 4))
        pairs = min(size // coalitions, pairs or size)
        together = _evenly(backgrounds, pairs)
        return cls(coalitions, together, _evenly(rows, pairs // together))


@dataclasses.dataclass(frozen=True, eq=False)
class Blender:
    """Two compiled functions that score blends.

    Attributes:
        prepare: A function of inputs, backgrounds and segments, each a list over the model's
            inputs, and the players' numbers `(players,)`, to what all coalitions share.
        scores: A function of that, classes `(rows,)`, the weights of the backgrounds `(n,)` and
            masks `(coalitions, players)`, to mean scores `(coalitions, rows, outputs)`. Where each
        coalition has one background row, masks are a pair: they, and the rows' numbers.
    """

    prepare: object
    scores: object


def element_blender(evaluate, variables):
    """Returns the `Blender` that puts together whole inputs.

    Args:
        evaluate: A function of the inputs, flat, and classes to scores `(batch, outputs)`.
        variables: The variables that it uses.
    """

    def scores(parts, classes, weights, masks):
        sizes = tuple(ops.shape(part)[0] for part in (masks, weights, classes))
        blends = [_blend(*part, masks, sizes) for part in zip(*parts, strict=True)]
        return mean_scores(evaluate, blends, classes, weights, sizes)

    return Blender(lambda *parts: parts[:3], jit(scores, variables))


def drawn_blender(evaluate, variables):
    """Returns the `Blender` of one background row for each coalition; see `element_blender`."""

    def scores(parts, classes, weights, masks):
        inputs, backgrounds, segments = parts
        masks, drawn = masks
        sizes = ops.shape(masks)[0], 1, ops.shape(classes)[0]
        chosen = [b if b is None else ops.take(b, drawn, axis=0)[:, None] for b in backgrounds]
        chosen = zip(inputs, chosen, segments, strict=True)
        blends = [_blend(*part, masks, sizes) for part in chosen]
        return mean_scores(evaluate, blends, classes, ops.ones((1,)), sizes)

    return Blender(lambda *parts: parts[:3], jit(scores, variables))


def mean_scores(evaluate, blends, classes, weights, sizes):
    """Returns scores averaged over background rows, `(coalitions, rows, outputs)`.

    Args:
        evaluate: A function of tensors `(batch, ...)` and classes to scores `(batch, outputs)`.
        blends: Tensors `(coalitions, n, rows, ...)`.
        classes: The class of each row.
        weights: The weight of each background row, `(n,)`.
        sizes: The three sizes.
    """
    tensors = [ops.reshape(blend, (-1, *ops.shape(blend)[3:])) for blend in blends]
    classes = ops.reshape(ops.broadcast_to(classes, sizes), (-1,))
    scores = evaluate(tensors, classes)
    scores = ops.reshape(scores, (*sizes, ops.shape(scores)[-1]))
    weights = ops.cast(weights, scores.dtype)
    return ops.sum(scores * weights[:, None, None], axis=1)


def model_game(blender, table, classes, full, batch, players):
    """Returns the game of some rows: coalitions `(n, players)` to scores `(n, rows, outputs)`.

    The rows and their backgrounds stay on the device; a call sends masks there and brings scores
    back. The full coalition's score is known and takes no evaluation. With a `drawn_blender` the
    game takes the number of a background row for each coalition too, `(n,)`.

    Args:
        blender: A `Blender`.
        table: A `Table`.
        classes: The class to score in each row, `(rows,)`.
        full: The scores of the rows as they are, `(rows, outputs)`.
        batch: A `Batch`.
        players: The number of players that masks are filled up to, so that games of fewer share
            one compiled function.
    """
    blocks = list(_blocks(blender, table, classes, batch, players))

    def game(coalitions, *drawn):
        values = np.empty((len(coalitions), *full.shape))
        asked = ~coalitions.all(axis=1)
        values[~asked] = full
        masks = _masks(coalitions[asked], batch.coalitions, players)
        numbers = (_filled(array[asked], batch.coalitions) for array in drawn)
        masks = list(zip(masks, *numbers, strict=True)) if drawn else list(masks)
        if masks:
            shape = len(masks) * batch.coalitions, *full.shape
            values[asked] = _scores(blender, blocks, masks, shape)[: asked.sum()]
        return values

    return game


def in_batches(function, arrays, size):
    """Returns what a function of `(batch, ...)` arrays makes, called on `size` rows at a time."""
    count, parts = len(arrays[0]), []
    for start in range(0, count, size):
        rows = np.minimum(np.arange(start, start + size), count - 1)  # the last batch is filled up
        outputs = function(*(ops.convert_to_tensor(array[rows]) for array in arrays))
        parts.append(tree.map_structure(ops.convert_to_numpy, outputs))
    return tree.map_structure(lambda *arrays: np.concatenate(arrays)[:count], *parts)


def _scores(blender, blocks, masks, shape):
    """Returns scores of all masks for all rows, `(coalitions, rows, outputs)`."""
    totals = np.zeros(shape)
    for rows, prepared, classes, weights in blocks:
        scores = [blender.scores(prepared, classes, weights, mask) for mask in masks]
        scores = np.concatenate([ops.convert_to_numpy(part) for part in scores])
        totals[:, rows] += scores[:, : len(totals[0, rows])]
    return totals


def _blocks(blender, table, classes, batch, players):
    """Yields slices of the rows, and what their scores take for each block of backgrounds."""
    count, rows_in_all = table.num_blends, len(classes)
    segments = [_compact(ids) for ids in table.players.segments]
    shared = _Shared()
    for start in range(0, rows_in_all, batch.rows):
        rows = np.minimum(np.arange(start, start + batch.rows), rows_in_all - 1)
        inputs = [ops.convert_to_tensor(array[rows]) for array in table.inputs]
        targets = ops.convert_to_tensor(classes[rows])
        for first in range(0, count, batch.backgrounds):
            taken = np.arange(first, first + batch.backgrounds)
            weights = ops.convert_to_tensor(((taken < count) / count).astype("float32"))
            taken = np.minimum(taken, count - 1)
            backgrounds = [shared.cut(array, taken, rows) for array in table.backgrounds]
            prepared = blender.prepare(inputs, backgrounds, segments, ops.arange(players))
            yield slice(start, start + batch.rows), prepared, targets, weights


class _Shared:
    """Cuts backgrounds, and keeps on the device once what all rows share."""

    def __init__(self):
        self._kept = {}

    def cut(self, array, taken, rows):
        """Returns background rows `taken` of an array `(n, rows or 1, ...)`, for some rows."""
        if array is None:
            return None
        taken = np.minimum(taken, len(array) - 1)
        if array.shape[1] > 1:
            return ops.convert_to_tensor(array[taken][:, rows])
        key = (id(array), taken[0])
        if key not in self._kept:
            self._kept[key] = ops.convert_to_tensor(array[taken])
        return self._kept[key]


def _masks(coalitions, size, players):
    """Yields masks of one shape `(size, players)`, the last ones filled up."""
    fill = ((0, 0), (0, players - coalitions.shape[1]))
    yield from _filled(np.pad(coalitions, fill), size)


def _filled(array, size):
    """Yields tensors of one size along the first axis, the last one filled up."""
    for start in range(0, len(array), size):
        part = array[start : start + size]
        yield ops.convert_to_tensor(
            np.pad(part, [(0, size - len(part)), *[(0, 0)] * (part.ndim - 1)])
        )


def _blend(inputs, background, segments, masks, sizes):
    """Returns inputs with absent elements replaced, `(coalitions, n, rows, ...)`."""
    row = ops.shape(inputs)[1:]
    if background is None:
        return ops.broadcast_to(inputs, (*sizes, *row))
    flat = ops.take(ops.transpose(masks), ops.reshape(segments, (-1,)), axis=0)
    present = ops.reshape(ops.transpose(flat), (sizes[0], 1, 1, *ops.shape(segments)))
    blends = ops.where(present, inputs, background)
    return ops.broadcast_to(blends, (*sizes, *row))


def _compact(ids):
    """Returns segments as a tensor, with size 1 along axes where they do not change."""
    if ids is None:
        return None
    for axis in range(ids.ndim):
        first = ids.take([0], axis=axis)
        ids = first if (ids == first).all() else ids
    return ops.convert_to_tensor(ids.astype("int32"))


def _evenly(total, most):
    """Returns the size of equal blocks of at most `most`, as few as can be."""
    return -(-total // -(-total // max(most, 1)))
