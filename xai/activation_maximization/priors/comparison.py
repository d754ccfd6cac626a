"""Rows of a table beside real ones."""

import numpy as np
from keras import ops


def compare(prior, x, data):
    """Returns a DataFrame with the value, percentile and nearest real value of every element.

    Args:
        prior: A `Tabular` prior.
        x: Rows, `(batch, features)`.
        data: Real rows, `(rows, features)`.

    Raises:
        ValueError: Rows of another shape than the prior's, or no data.
    """
    import pandas as pd

    x, data = (_rows(prior, rows, name) for rows, name in ((x, "x"), (data, "data")))
    below = (data < x[:, np.newaxis]).mean(axis=1)
    same = (data == x[:, np.newaxis]).mean(axis=1)
    table = {
        "value": x,
        "percentile": 100 * (below + same / 2),
        "nearest": data[_nearest(prior, x, data)],
    }
    index = pd.MultiIndex.from_product([range(len(x)), prior.names], names=["row", "column"])
    return pd.DataFrame({name: values.ravel() for name, values in table.items()}, index=index)


def _nearest(prior, x, data):
    """Returns the place of the nearest real row of each row, `(batch,)`.

    A deviation counts as one, and so does another category.
    """
    deviations = data.std(axis=0)
    units = np.where(prior.groups >= 0, np.sqrt(2), np.where(deviations > 0, deviations, 1))
    squared = [np.square((data - row) / units).sum(axis=1) for row in x]
    return np.array([distances.argmin() for distances in squared])


def _rows(prior, rows, name):
    """Returns rows as an array.

    Raises:
        ValueError: They have another shape than the prior's, or there are none.
    """
    rows = np.asarray(ops.convert_to_numpy(rows), "float64")
    if rows.ndim != 2 or rows.shape[1:] != prior.shape or not len(rows):
        raise ValueError(
            f"{name} holds rows of {prior.shape[0]} columns; received shape {rows.shape}."
        )
    return rows
