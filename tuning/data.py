"""The rows that every trial of a search trains on, and the rows that it is judged by."""

import keras
import numpy as np

_ACCEPTED = (
    "This version takes arrays, anything that numpy.asarray or Keras takes as one, or a list, "
    "tuple or dict of arrays; tf.data.Dataset, PyDataset and DataLoader are not available yet."
)


def split(x, y, validation_data, validation_split):
    """Returns checked rows as `(x, y), (validation_x, validation_y)`.

    Without `validation_data` the last rows are held out, as Keras' `validation_split` does it: the
    same ones for every trial.

    Args:
        x: An array `(rows, ...)`, or a list, tuple or dict of arrays with equally many rows.
        y: The same, or None.
        validation_data: None, or a pair `(x, y)`.
        validation_split: The share of rows to hold out, between 0 and 1; without effect where
            `validation_data` is given.

    Raises:
        TypeError: Something that is no array.
        ValueError: No rows, unequal numbers of rows, NaN, or a split without rows on both sides.
    """
    x, y = _checked(x, y, "x", "y")
    if validation_data is None:
        return _held_out(x, y, validation_split)
    if not isinstance(validation_data, list | tuple) or len(validation_data) != 2:
        raise TypeError(
            "validation_data is None or a pair (x, y); "
            f"received {type(validation_data).__name__}: {str(validation_data)[:80]}."
        )
    return (x, y), _checked(*validation_data, "validation_data[0]", "validation_data[1]")


def count_rows(x):
    """Returns the number of rows of an array or of a structure of arrays."""
    return len(keras.tree.flatten(x)[0])


def take_rows(x, rows):
    """Returns the rows that a slice selects, of an array, of a structure of arrays, or None."""
    if x is None:
        return None
    return keras.tree.map_structure(lambda array: array[rows], x)


def shapes(x):
    """Returns the shapes in a structure of arrays as text, for messages."""
    if x is None:
        return "None"
    return ", ".join(str(array.shape) for array in keras.tree.flatten(x))


def _held_out(x, y, validation_split):
    if not isinstance(validation_split, int | float) or not 0 < validation_split < 1:
        raise ValueError(
            "validation_split is a share of the rows, above 0 and below 1; "
            f"received {validation_split!r}."
        )
    rows = count_rows(x)
    kept = int(rows * (1 - validation_split))
    if kept == 0:
        raise ValueError(
            f"validation_split={validation_split} of {rows} rows leaves none to train on. "
            "Give more rows, a smaller share or validation_data."
        )
    parts = slice(kept), slice(kept, None)
    return tuple((take_rows(x, part), take_rows(y, part)) for part in parts)


def _checked(x, y, x_name, y_name):
    if x is None:
        raise TypeError(f"{x_name} is None. {_ACCEPTED}")
    x = _as_arrays(x, x_name)
    y = None if y is None else _as_arrays(y, y_name)
    arrays = [(x_name, array) for array in keras.tree.flatten(x)]
    arrays += [(y_name, array) for array in ([] if y is None else keras.tree.flatten(y))]
    for name, array in arrays:
        _require_rows(name, array, arrays[0])
        _require_numbers(name, array)
    return x, y


def _as_arrays(value, name):
    if isinstance(value, dict):
        return {key: _as_array(entry, f"{name}[{key!r}]") for key, entry in value.items()}
    if isinstance(value, list | tuple) and value and all(_ndim(entry) > 0 for entry in value):
        return type(value)(_as_array(entry, f"{name}[{i}]") for i, entry in enumerate(value))
    return _as_array(value, name)


def _ndim(value):
    return len(getattr(value, "shape", ()))


def _as_array(value, name):
    if keras.ops.is_tensor(value):
        return keras.ops.convert_to_numpy(value)
    if not hasattr(value, "shape") and not isinstance(value, list | tuple):
        raise TypeError(f"{name} is a {type(value).__name__}. {_ACCEPTED}")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is no array: {error}") from error
    if array.ndim == 0:
        raise ValueError(f"{name} is a single number; it needs a first axis of rows.")
    return array


def _require_rows(name, array, first):
    if len(array) == 0:
        raise ValueError(f"{name} has no rows: its shape is {array.shape}.")
    first_name, first_array = first
    if len(array) != len(first_array):
        raise ValueError(
            f"{first_name} has {len(first_array)} rows and {name} has {len(array)}; "
            "every row needs its counterpart."
        )


def _require_numbers(name, array):
    # The minimum of rows with a NaN is NaN; unlike isnan(array) it needs no second array.
    if not np.issubdtype(array.dtype, np.floating) or not array.size or not np.isnan(array.min()):
        return
    rows = np.flatnonzero(np.isnan(array.reshape(len(array), -1)).any(axis=1))
    raise ValueError(
        f"{name} holds NaN in {len(rows)} of {len(array)} rows, the first of them row {rows[0]}. "
        "Remove or fill these rows before the search."
    )
