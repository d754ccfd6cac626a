"""Mean and covariance of data that comes in batches."""

import keras
import numpy as np

ROWS_AT_A_TIME = 4096


class Moments:
    """Running mean and covariance of vectors, in float64."""

    def __init__(self):
        self.count = 0
        self.mean = None
        self._scatter = None

    def add(self, batch):
        """Takes an array `(..., features)` in.

        Raises:
            ValueError: It is no array of vectors of the size of those before, or holds NaN or
                infinity.
        """
        rows = np.asarray(batch, "float64")
        if rows.ndim < 2 or (self.count and rows.shape[-1] != len(self.mean)):
            known = f" of {len(self.mean)} features" if self.count else ""
            raise ValueError(
                f"A batch has the shape {rows.shape}, but must be (samples, ..., features){known}. "
                "Batch a data set of single samples first."
            )
        rows = rows.reshape(-1, rows.shape[-1])
        if not np.isfinite(rows).all():
            raise ValueError("The data holds NaN or infinity. Clean it before adapting to it.")
        if len(rows):
            self._merge(len(rows), rows.mean(axis=0), rows)

    def covariance(self):
        """Returns the covariance `(features, features)`, the sum divided by the count.

        Raises:
            ValueError: No data was taken in.
        """
        if not self.count:
            raise ValueError("The data is empty. Give at least one batch (generators end).")
        return self._scatter / self.count

    def _merge(self, count, mean, rows):
        # Chan, Golub, LeVeque 1979: without the cancellation of the sum of squares.
        centered = rows - mean
        scatter = centered.T @ centered
        if not self.count:
            self.count, self.mean, self._scatter = count, mean, scatter
            return
        total = self.count + count
        step = mean - self.mean
        self._scatter += scatter + np.outer(step, step) * (self.count * count / total)
        self.mean = self.mean + step * (count / total)
        self.count = total


def batches(data):
    """Yields the inputs of a data set as NumPy arrays, an array in parts.

    Raises:
        TypeError: `data` is neither an array nor iterable.
    """
    if hasattr(data, "shape"):
        for start in range(0, data.shape[0], ROWS_AT_A_TIME):
            yield _array(data[start : start + ROWS_AT_A_TIME])
        return
    try:
        iterator = _of_py_dataset(data) if isinstance(data, keras.utils.PyDataset) else iter(data)
    except TypeError:
        raise TypeError(
            f"A data set is an array or yields batches; received {type(data).__name__}."
        ) from None
    for batch in iterator:
        yield _array(batch[0] if isinstance(batch, tuple | list) else batch)


def _of_py_dataset(data):
    # Iterating over a PyDataset need not end: its __getitem__ may take any index.
    return (data[index] for index in range(data.num_batches))


def _array(batch):
    return keras.ops.convert_to_numpy(batch) if keras.ops.is_tensor(batch) else np.asarray(batch)
