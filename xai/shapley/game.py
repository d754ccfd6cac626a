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
    """Compiled functions that score blends.

    Attributes:
        prepare: A function of inputs, backgrounds and segments, each a list over the model's
            inputs, and the players' numbers `(players,)`, to what all coalitions share.
        scores: A function of that, classes `(rows,)`, the weights of the backgrounds `(n,)` and
            masks `(coalitions, players)`, to mean scores `(coalitions, rows, outputs)`. Where each
        coalition has one background row, masks are a pair: they, and the rows' numbers.
        walk: Likewise, of permutations `(n, players)`, to the scores that `ModelGame.walk` makes;
            None where there is no such way.
        many: The number of players from which on `walk` takes less time than masks.
    """

    prepare: object
    scores: object
    walk: object = None
    many: int = 0


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


@dataclasses.dataclass(frozen=True, eq=False)
class ModelGame:
    """The game of some rows: coalitions `(n, players)` to scores `(n, rows, outputs)`.

    The rows and their backgrounds stay on the device; a call sends masks there and brings scores
    back. The full coalition's score is known and takes no evaluation. With a `drawn_blender` the
    game takes the number of a background row for each coalition too, `(n,)`.

    Attributes:
        blender: A `Blender`.
        blocks: Slices of the rows, with what their scores take.
        full: The scores of the rows as they are, `(rows, outputs)`.
        size: Coalitions per compiled call.
        players: The number of players that masks are filled up to, so that games of fewer share
            one compiled function.
    """

    blender: Blender
    blocks: list
    full: np.ndarray
    size: int
    players: int

    def __call__(self, coalitions, *drawn):
        """Returns the scores of coalitions."""
        values = np.empty((len(coalitions), *self.full.shape))
        asked = ~coalitions.all(axis=1)
        values[~asked] = self.full
        numbers = (_filled(array[asked], self.size) for array in drawn)
        masks = _filled(self._wide(coalitions[asked]), self.size)
        masks = zip(masks, *numbers, strict=True) if drawn else masks
        values[asked] = self._scores(self.blender.scores, masks, asked.sum())
        return values

    @property
    def walk(self):
        """A function of permutations `(n, players)` to the scores of what they pass.

        These are their first player, their first two, and so on but for all, one permutation after
        the other, `(n * (players - 1), rows, outputs)`. None where masks do as well.
        """
        return self._walk if self.blender.walk and self.players >= self.blender.many else None

    def _walk(self, orders):
        count, players = orders.shape
        together = max(1, self.size // (self.players - 1))
        batches = _filled(self._wide(orders).astype("int32"), together)
        scores = self._scores(self.blender.walk, batches, count * (self.players - 1))
        scores = scores.reshape(count, self.players - 1, *self.full.shape)[:, : players - 1]
        return scores.reshape(-1, *self.full.shape)

    def _wide(self, array):
        return np.pad(array, ((0, 0), (0, self.players - array.shape[1])))

    def _scores(self, function, batches, count):
        """Returns what a function makes of batches of coalitions for all rows."""
        totals, batches = np.zeros((count, *self.full.shape)), list(batches)
        for rows, prepared, classes, weights in self.blocks if batches else ():
            scores = [function(prepared, classes, weights, batch) for batch in batches]
            scores = np.concatenate([ops.convert_to_numpy(part) for part in scores])
            totals[:, rows] += scores[:count, : len(self.full[rows])]
        return totals


def model_game(blender, table, classes, full, batch, players):
    """Returns the `ModelGame` of a table.

    Args:
        blender: A `Blender`.
        table: A `Table`.
        classes: The class to score in each row, `(rows,)`.
        full: The scores of the rows as they are, `(rows, outputs)`.
        batch: A `Batch`.
        players: See `ModelGame`.
    """
    blocks = list(_blocks(blender, table, classes, batch, players))
    return ModelGame(blender, blocks, full, batch.coalitions, players)


def in_batches(function, arrays, size):
    """Returns what a function of `(batch, ...)` arrays makes, called on `size` rows at a time."""
    count, parts = len(arrays[0]), []
    for start in range(0, count, size):
        rows = np.minimum(np.arange(start, start + size), count - 1)  # the last batch is filled up
        outputs = function(*(ops.convert_to_tensor(array[rows]) for array in arrays))
        parts.append(tree.map_structure(ops.convert_to_numpy, outputs))
    return tree.map_structure(lambda *arrays: np.concatenate(arrays)[:count], *parts)


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
