"""Distances between all rows of a batch."""

from keras import ops

DISTANCES = ("euclidean", "squared_euclidean", "cosine")


def pairwise_distances(rows, distance):
    """Returns the distances `(batch, batch)` between all rows `(batch, features)`.

    They are sums over differences, `batch**2 * features` of them: the usual matrix product of the
    rows loses half the digits of small distances, and more where hardware shortens its factors.

    Args:
        rows: Tensor `(batch, features)`.
        distance: `"euclidean"`, `"squared_euclidean"` or `"cosine"` (1 less the cosine).
    """
    if distance == "cosine":
        return _squared(unit_rows(rows)) / 2
    squared = _squared(rows)
    return squared if distance == "squared_euclidean" else _root(squared)


def unit_rows(rows):
    """Returns the rows divided by their lengths; a row of zeros stays one."""
    # Lengths do not overflow or vanish in the square where the largest element is 1.
    largest = ops.stop_gradient(ops.max(ops.abs(rows), axis=-1, keepdims=True))
    rows = rows / ops.where(largest > 0, largest, ops.ones_like(largest))
    squared = ops.sum(ops.square(rows), axis=-1, keepdims=True)
    return rows / ops.sqrt(ops.where(squared > 0, squared, ops.ones_like(squared)))


def _squared(rows):
    differences = ops.expand_dims(rows, 1) - ops.expand_dims(rows, 0)
    return ops.sum(ops.square(differences), axis=-1)


def _root(squared):
    """The square root, with the gradient 0 at 0."""
    positive = squared > 0
    root = ops.sqrt(ops.where(positive, squared, ops.ones_like(squared)))
    return ops.where(positive, root, ops.zeros_like(root))
