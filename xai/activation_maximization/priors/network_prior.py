"""What priors have in common whose formula is a Keras model."""

import abc
import dataclasses
import functools

import keras
import numpy as np
from keras import ops as keras_ops

from kerasdl.backend import jit, vjp
from xai.activation_maximization.priors import network
from xai.activation_maximization.priors.langevin import walk
from xai.activation_maximization.priors.prior import HELD_OUT_MOST, Prior
from xai.activation_maximization.priors.starts import likely_rows

_FEWEST_ROWS = 4
_STREAM = (0, 4)  # a seed that users hardly draw their data with
_MOST_AT_ONCE = 1_000_000  # input elements


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class NetworkPrior(Prior):
    """A prior whose formula calls a Keras model.

    Its parameters are the model's floating-point variables as they are now, so that a compiled
    ascent takes them as arguments. The model is neither copied nor changed; `save` writes it along.

    Attributes:
        model: The Keras model.
        low: The least value of each input element, by default that of `held_out`.
        high: The greatest value of each input element, by default that of `held_out`.
        held_out: Rows that the model was not trained on, `(rows, ...)`, of which 512 at most are
            kept.
    """

    model: keras.Model = dataclasses.field(kw_only=False)
    low: np.ndarray | None = None
    high: np.ndarray | None = None

    def __post_init__(self):
        rows = _check_rows(self.held_out)
        is_file = isinstance(self.model, np.ndarray)  # as `load` reads it
        model = network.from_bytes(self.model) if is_file else self.model
        network.check_model(model, rows.shape[1:])
        fields = {
            "model": model,
            "low": _check_bound("low", self.low, rows.min(axis=0)),
            "high": _check_bound("high", self.high, rows.max(axis=0)),
            "held_out": _chosen(rows),
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        self._check_formula()

    @abc.abstractmethod
    def check_output(self, shape, expected):
        """Refuses a model that maps rows of the shape `expected` to another shape than it should.

        Raises:
            ValueError: The model's output is none that the formula can take.
        """

    @abc.abstractmethod
    def formula(self, parameters, x):
        """Returns the log-density of each row, `(batch,)`, for tensors."""

    @abc.abstractmethod
    def drawn(self, rows, random):
        """Returns rows distributed as the density, `(rows, ...)`, given some as the data."""

    @property
    def parameters(self):
        """The model's floating-point variables."""
        return network.weights(self.model)

    def log_density(self, parameters, x, ops=keras_ops):
        """Returns the log-density of each row; see `Prior`. It has the model's precision."""
        return self.formula(parameters, x) if ops is keras_ops else self._terms(x)[0]

    def score(self, x):
        """Returns the gradient of the log-density, in nats per unit of the inputs, `(batch, ...)`.

        Args:
            x: Rows, `(batch, ...)`.
        """
        return self._terms(np.asarray(keras_ops.convert_to_numpy(x), "float64"))[1]

    @functools.cached_property
    def starts(self):
        """The likelier half of the held-out rows, 64 at most."""
        return likely_rows(self)

    @functools.cached_property
    def scale(self):
        """One over the root mean square of each element's score, in a row's shape.

        The mean square is the mean curvature of the density where the rows follow it, and for a
        normal density this scale is the deviation when all other elements are given. It is no more
        than the range of the data.
        """
        score = self.score(self.drawn(self.held_out, np.random.default_rng(_STREAM)))
        information = np.square(score).mean(axis=0)
        least = np.finfo("float32").tiny
        return np.minimum(np.maximum(information, least) ** -0.5, self.high - self.low)

    def sample(self, n, seed=0):
        """Returns `n` rows, `(n, ...)`, held-out ones after 100 steps of Langevin's dynamics.

        Modes that the held-out rows miss are not found.
        """
        random = np.random.default_rng(seed)
        chosen = self.held_out[random.integers(len(self.held_out), size=n)]
        begin = self.drawn(chosen, random)
        return walk(self._terms, begin, self.scale, random, is_adjusted=self.is_density)

    def _terms(self, x):
        """Returns the log-densities of rows and their gradients, float64 arrays."""
        dtype = self.model.variable_dtype
        weights = [keras_ops.convert_to_tensor(value, dtype) for value in self.parameters]
        at_once = max(1, _MOST_AT_ONCE // max(1, self.low.size))
        parts = [
            self._compiled(weights, keras_ops.convert_to_tensor(part, dtype))
            for part in np.split(x, range(at_once, len(x), at_once))
        ]
        return tuple(
            np.concatenate([*map(keras_ops.convert_to_numpy, term)]).astype("float64")
            for term in zip(*parts, strict=True)
        )

    @functools.cached_property
    def _compiled(self):
        def terms(weights, x):
            values, pullback = vjp(lambda rows: self.formula(weights, rows), x)
            return values, pullback(keras_ops.ones_like(values))

        return jit(terms)

    def _check_formula(self):
        """Refuses a model without values or without a gradient.

        Raises:
            ValueError: The model's output has another shape, is not finite, or does not depend on
                its input.
        """
        rows = keras_ops.convert_to_tensor(self.held_out[:2], self.model.variable_dtype)
        self.check_output(tuple(self.model(rows, training=False).shape), tuple(rows.shape))
        values, gradient = self._terms(self.held_out)
        if not (np.isfinite(values).all() and np.isfinite(gradient).all()):
            raise ValueError(
                f"The model {self.model.name!r} gives NaN or infinite values or gradients to "
                "held_out rows: look for NaN in its weights, and whether the rows are scaled as "
                "those that it was trained on."
            )
        if not gradient.any():
            raise ValueError(
                f"The model {self.model.name!r} has no gradient at held_out rows: an ascent could "
                "not climb. Look for rounding or integers within it."
            )

    def _arrays(self):
        return {**super()._arrays(), "model": network.to_bytes(self.model)}


def _check_rows(rows):
    """Returns rows as a float64 array.

    Raises:
        ValueError: No rows, too few of them, or NaN.
    """
    rows = np.asarray(keras_ops.convert_to_numpy(rows), "float64")
    if rows.ndim < 2 or len(rows) < _FEWEST_ROWS:
        raise ValueError(
            f"held_out holds {_FEWEST_ROWS} rows or more that the model was not trained on, "
            f"('batch', ...): they tell what is typical; received shape {rows.shape}."
        )
    if not np.isfinite(rows).all():
        raise ValueError("held_out has NaN or infinite values. Impute or drop these rows.")
    return rows


def _check_bound(name, bound, default):
    """Returns a bound in the shape of a row.

    Raises:
        ValueError: It has another shape.
    """
    try:
        bound = default if bound is None else np.asarray(bound, "float64")
        return np.array(np.broadcast_to(bound, default.shape))
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} is a number or an array in the shape of a row, {default.shape}; received "
            f"{bound!r}."
        ) from None


def _chosen(rows):
    """Returns 512 rows at most, chosen at random from all for they may be sorted by class."""
    if len(rows) <= HELD_OUT_MOST:
        return rows
    return rows[np.random.default_rng(_STREAM).permutation(len(rows))[:HELD_OUT_MOST]]
