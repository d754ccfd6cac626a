"""What every prior is: a log-density over a model's inputs, fitted on data."""

import abc
import dataclasses
import functools
import json
import math
from typing import ClassVar

import numpy as np
from keras import ops as keras_ops

from xai.npz import save_npz

HELD_OUT_SHARE = 0.1
HELD_OUT_MOST = 512  # rows are kept in the saved prior: enough for a median, little to carry
HELD_OUT_ENTRIES = 10_000_000  # of all those rows: 80 MB, 66 images of 224 x 224 x 3
_FORMAT = "kerasdl prior 1"
_ENTRIES_AT_ONCE = 2**18


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Prior(abc.ABC):
    """A log-density over inputs, in nats.

    A subclass is a frozen dataclass whose fields are arrays, so that `save` and `load` need no more
    than them. It states its formula once, in `log_density`.

    Attributes:
        low: The least value of each input element in the data, in the shape of one row.
        high: The greatest value of each input element.
        held_out: Rows of the data that the fit did not see, `(rows, ...)`; none where a prior was
            not fitted on data.
        is_density: Whether values are log-densities up to a constant; where not, only their
            gradients are.
        immutable: Which elements stay at a given row's values, in a row's shape; False for none.
    """

    is_density: ClassVar[bool] = True
    immutable: ClassVar = False
    low: np.ndarray
    high: np.ndarray
    held_out: np.ndarray

    @property
    @abc.abstractmethod
    def parameters(self):
        """What the formula needs: a tuple of float64 arrays."""

    @abc.abstractmethod
    def log_density(self, parameters, x, ops=keras_ops):
        """Returns the log-density of each row of `x`, `(batch, ...)` to `(batch,)`.

        Args:
            parameters: Those of the prior, as arrays of `ops`.
            x: Rows, as an array of `ops`.
            ops: `keras.ops` within a compiled ascent, `numpy` elsewhere: the formula uses only
                names that both have.
        """

    @property
    @abc.abstractmethod
    def starts(self):
        """Points of high density where an ascent may begin, `(points, ...)`."""

    @property
    @abc.abstractmethod
    def scale(self):
        """How far each input element can move alone before the density falls, in a row's shape."""

    def snapped(self, x):
        """Returns the nearest rows that inputs can be, `(batch, ...)`: most priors allow any."""
        return x

    def sample(self, n, seed=0):
        """Returns `n` rows drawn from the density, `(n, ...)`, the same for the same seed.

        A density without a sampler of its own draws from its held-out rows, with replacement.

        Args:
            n: The number of rows.
            seed: What `numpy.random.default_rng` takes: an int or a sequence of ints.

        Raises:
            ValueError: There is neither a sampler nor a held-out row.
        """
        if not len(self.held_out):
            raise ValueError(
                f"A {type(self).__name__} prior draws from its held-out rows, for its density has "
                "no sampler; this one has none. Fit it on data."
            )
        chosen = np.random.default_rng(seed).integers(len(self.held_out), size=n)
        return self.held_out[chosen]

    @property
    def shape(self):
        """The shape of one row."""
        return self.low.shape

    @functools.cached_property
    def typical(self):
        """The median log-density of the held-out rows in nats, None without such rows."""
        return float(np.median(self.log_prob(self.held_out))) if len(self.held_out) else None

    def log_prob(self, x):
        """Returns the log-density of each row in nats, computed in float64.

        Args:
            x: Rows, `(batch, ...)`.

        Returns:
            An array `(batch,)`.

        Raises:
            ValueError: Rows of another shape than those that the prior was fitted on.
        """
        x = np.asarray(keras_ops.convert_to_numpy(x), "float64")
        if x.shape[1:] != self.shape or x.ndim == 0:
            raise ValueError(
                f"This {type(self).__name__} prior was fitted on rows of shape {self.shape}; "
                f"received {x.shape}, expected ('batch', {', '.join(map(str, self.shape))})."
            )
        at_once = max(1, _ENTRIES_AT_ONCE // self.low.size)
        parts = np.split(x, range(at_once, len(x), at_once))
        return np.concatenate([self.log_density(self.parameters, part, np) for part in parts])

    def save(self, path):
        """Writes the prior to an `.npz` file, without pickle; the held-out rows are part of it.

        The file is written beside `path` and renamed, so that an interrupted save loses nothing.

        Raises:
            ValueError: `path` does not end in `.npz`.
            OSError: The directory does not exist or cannot be written.
        """
        record = json.dumps({"format": _FORMAT, "prior": type(self).__name__})
        save_npz(path, {"record": np.array(record), **self._arrays()})

    def _arrays(self):
        """Returns the fields by name, as `save` writes them."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @classmethod
    def load(cls, path):
        """Reads a prior that `save` of the same class wrote.

        Raises:
            ValueError: The file holds something else.
        """
        return read(path, (cls,))


def read(path, kinds):
    """Reads a prior of one of several classes from the file that `save` wrote.

    Raises:
        ValueError: The file holds something else.
    """
    with np.load(path, allow_pickle=False) as file:
        record = json.loads(str(file["record"])) if "record" in file else {}
        if record.get("format") != _FORMAT:
            raise ValueError(f"{path} holds no prior that this version can read.")
        for kind in kinds:
            if kind.__name__ == record["prior"]:
                return kind(**{field.name: file[field.name] for field in dataclasses.fields(kind)})
    raise ValueError(
        f"{path} holds a {record['prior']} prior: load it with {record['prior']}.load."
    )


def split(x, seed, fewest):
    """Returns the rows to fit on, flat, and the arrays of `Prior`: `low`, `high`, `held_out`.

    Args:
        x: Data, `(rows, ...)`.
        seed: Of the choice of the held-out rows.
        fewest: The number of rows that a fit needs.

    Raises:
        ValueError: No rows of inputs, too few of them, NaN, or rows that are all alike.
    """
    x = np.asarray(keras_ops.convert_to_numpy(x), "float64")
    if x.ndim < 2 or 0 in x.shape[1:]:
        raise ValueError(
            f"A prior is fitted on rows of inputs, ('batch', ...); received shape {x.shape}."
        )
    most = min(HELD_OUT_MOST, HELD_OUT_ENTRIES // math.prod(x.shape[1:]))
    held_out = max(1, min(most, round(HELD_OUT_SHARE * len(x))))
    if len(x) - held_out < fewest:
        raise ValueError(
            f"Received {len(x)} rows; after {held_out} are held out, this fit needs at least "
            f"{fewest}. Pass more data."
        )
    bad = ~np.isfinite(x).reshape(len(x), -1).all(axis=1)
    if bad.any():
        raise ValueError(
            f"The data have NaN or infinite values in {bad.sum()} of {len(x)} rows (first: row "
            f"{bad.argmax()}). Impute or drop these rows."
        )
    order = np.random.default_rng(seed).permutation(len(x))
    fitted = x[order[held_out:]].reshape(len(x) - held_out, -1)
    if not fitted.var(axis=0).any():
        raise ValueError(f"All {len(x)} rows are alike: a density needs data that vary.")
    data = {"low": x.min(axis=0), "high": x.max(axis=0), "held_out": x[order[:held_out]]}
    return fitted, data
