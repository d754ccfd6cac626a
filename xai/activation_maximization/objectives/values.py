"""The values of an objective per row."""

import numpy as np
from keras import ops


def values(objectives, readings):
    """Returns the value of each row's own objective, `(rows,)`.

    Rows of equal objectives are evaluated together, and see no others.

    Args:
        objectives: A sequence of an `Objective` per row.
        readings: The `Readings` of the rows.
    """
    groups = {}
    for row, objective in enumerate(objectives):
        groups.setdefault(objective, []).append(row)
    if len(groups) == 1:
        return objectives[0](readings)
    parts = [one(readings.rows(rows, one.layers)) for one, rows in groups.items()]
    order = np.argsort(np.concatenate(list(groups.values())))
    return ops.take(ops.concatenate(parts), order, axis=0)
