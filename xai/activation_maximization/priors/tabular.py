"""A density of the rows of a table: mixtures, a Gaussian copula, and frequencies."""

import dataclasses
import functools

import numpy as np
from keras import ops as keras_ops

from xai.activation_maximization.priors import marginals
from xai.activation_maximization.priors.columns import NUMERIC, check_columns, check_values
from xai.activation_maximization.priors.normal_scores import normal_score
from xai.activation_maximization.priors.prior import Prior, split
from xai.activation_maximization.priors.starts import likely_rows

_FEWEST_ROWS = 20
_OFF_CORNERS = 0.1  # the deviation from one of the sum over a relaxed group


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Tabular(Prior):
    """A density of rows of numeric, integer and one-hot columns.

    Each numeric column has a mixture of normals of its own; a Gaussian copula makes them depend on
    one another. One-hot groups have smoothed frequencies and depend on nothing. An integer column
    has the density of its value plus a uniform number within half a unit of zero.

    The log-density of a group is linear in its columns. It is that of the category where one column
    is 1 and the others 0. Where their sum is not 1, half the squared distance in units of 0.1 is
    subtracted, without which an ascent would leave the group empty.

    On held-out rows of scikit-learn's wine, breast cancer and diabetes data it gets -19.1, 34.1 and
    -27.6 nats on average over five seeds, with standard errors of 0.5, 2.2 and 0.1. Without the
    copula these are -21.9, 1.2 and -31.3; one shrunk normal density gets -19.2, 22.9 and -28.4, and
    the mixture of normals whose regularization, of three, suits these very rows -18.4, 29.3 and
    -27.2.

    Attributes:
        weights: Of each numeric column's normals, `(numeric, components)`.
        means: Theirs, in the same shape.
        deviations: Theirs, in the same shape.
        correlation: Of the columns' normal scores, `(numeric, numeric)`.
        frequencies: Of the category of each one-hot column, 1 for the others, `(features,)`.
        groups: The one-hot group of each column, -1 for numeric columns, `(features,)`.
        integer: Which columns hold whole numbers, bool `(features,)`.
        immutable: Which columns stay at a given row's values, bool `(features,)`.
        names: Of the columns, `(features,)`.
        low: The least value of each column in the data, `(features,)`.
        high: The greatest value of each column.
        held_out: Rows that the fit did not see, `(rows, features)`.
    """

    weights: np.ndarray
    means: np.ndarray
    deviations: np.ndarray
    correlation: np.ndarray
    frequencies: np.ndarray
    groups: np.ndarray
    integer: np.ndarray
    immutable: np.ndarray
    names: np.ndarray

    @classmethod
    def fit(cls, x, categorical=(), integer=(), immutable=(), *, names=None, seed=0):
        """Returns the density fitted on the rows of a table, as the model takes them.

        Args:
            x: `(rows, features)`, an array or a DataFrame.
            categorical: One-hot groups, each a sequence of column numbers.
            integer: The numbers of the columns of whole numbers.
            immutable: The numbers of the columns that stay at a given row's values; the density
                holds them as all others.
            names: Of the columns; by default those of a DataFrame, or their numbers.
            seed: Of the fit, and of the choice of the tenth of the rows, 512 at most, that is held
                out to know what density is typical; the prior keeps these rows.

        Raises:
            ValueError: Too few rows, NaN, columns that do not hold what they are said to, or a
                numeric column of a single value.

        Example:
            >>> prior = xai.priors.Tabular.fit(x_train, categorical=[(3, 4, 5)], integer=[0])
            >>> prior.compare(prior.snapped(result.inputs), x_train)

        Source: Song 2000, Multivariate dispersion models generated from Gaussian copula
        (Scandinavian Journal of Statistics 27), with the correlation shrunk by Ledoit & Wolf 2004.
        """
        names = getattr(x, "columns", None) if names is None else names
        fitted, data = split(x, seed, _FEWEST_ROWS)
        if data["low"].ndim != 1:
            raise ValueError(
                f"The rows of a table have one axis; received rows of shape {data['low'].shape}."
            )
        columns = check_columns(fitted.shape[1], categorical, integer, immutable, names)
        check_values(np.concatenate([fitted, data["held_out"]]), columns)
        numeric = fitted[:, columns["groups"] == NUMERIC]
        arrays = _fit_numeric(_spread(numeric, columns, seed), seed)
        frequencies = _frequencies(fitted, columns["groups"])
        return cls(**arrays, frequencies=frequencies, **columns, **data)

    @functools.cached_property
    def parameters(self):
        """Of the marginals, the copula and the categories, in that order."""
        precision = np.linalg.inv(self.correlation)
        coupling = 0.5 * (np.eye(len(precision)) - precision)
        log_volume = -0.5 * np.linalg.slogdet(self.correlation)[1]
        membership = self.groups == np.arange(self.groups.max() + 1)[:, np.newaxis]
        return (
            *marginals.parameters(self.weights, self.means, self.deviations),
            coupling,
            log_volume,
            np.log(self.frequencies),
            membership.astype("float64"),
        )

    def log_density(self, parameters, x, ops=keras_ops):
        """Returns the log-density of each row; see `Prior`."""
        *of_numeric, log_frequencies, membership = parameters
        x = ops.reshape(x, (-1, len(self.groups)))
        total = ops.sum(x * log_frequencies, axis=-1)
        if self.groups.max() >= 0:
            sums = ops.sum(x[:, None] * membership, axis=-1)
            total = total - 0.5 * ops.sum(((sums - 1) / _OFF_CORNERS) ** 2, axis=-1)
        if len(self.means):
            total = total + self._log_numeric(of_numeric, x, ops)
        return total

    def _log_numeric(self, parameters, x, ops):
        """Returns the log-density of the numeric columns of each row, `(batch,)`."""
        *marginal, coupling, log_volume = parameters
        x = ops.take(x, np.flatnonzero(self.groups == NUMERIC), axis=1)
        scores = normal_score(*marginals.log_tails(marginal, x, ops), ops)
        copula = log_volume + ops.sum(ops.matmul(scores, coupling) * scores, axis=-1)
        return copula + ops.sum(marginals.log_density(marginal, x, ops), axis=-1)

    @functools.cached_property
    def starts(self):
        """The medians with the commonest categories, and likely held-out rows."""
        center = np.zeros(len(self.groups))
        center[self.groups == NUMERIC] = self._quantiles(np.zeros((1, len(self.means))))[0]
        for members in self._members():
            center[members[self.frequencies[members].argmax()]] = 1
        likely = likely_rows(self) if len(self.held_out) else self.held_out
        return np.concatenate([center[np.newaxis], likely])

    @functools.cached_property
    def scale(self):
        """The deviation of each numeric column within its normals when all others are given.

        That of one-hot columns is how far the sum over a relaxed group can leave 1.
        """
        scale = np.full(len(self.groups), _OFF_CORNERS)
        within = np.sqrt((self.weights * self.deviations**2).sum(axis=1))
        scale[self.groups == NUMERIC] = within * np.diag(np.linalg.inv(self.correlation)) ** -0.5
        return scale

    def sample(self, n, seed=0):
        """Returns `n` rows drawn from the density, integers and one-hot, `(n, features)`."""
        random = np.random.default_rng(seed)
        rows = np.zeros((n, len(self.groups)))
        noise = random.standard_normal((n, len(self.means)))
        scores = noise @ np.linalg.cholesky(self.correlation).T
        rows[:, self.groups == NUMERIC] = self._quantiles(scores)
        rows[:, self.integer] = np.round(rows[:, self.integer])
        for members in self._members():
            drawn = random.choice(len(members), n, p=self.frequencies[members])
            rows[:, members] = np.eye(len(members))[drawn]
        return rows

    def snapped(self, x):
        """Returns the nearest valid rows: integers, one-hot groups, within `low` and `high`.

        Args:
            x: Rows, `(batch, features)`, as an ascent relaxes them.
        """
        rows = np.clip(keras_ops.convert_to_numpy(x), self.low, self.high)
        rows[:, self.integer] = np.round(rows[:, self.integer])
        for members in self._members():
            rows[:, members] = np.eye(len(members))[rows[:, members].argmax(axis=1)]
        return rows

    def compare(self, x, data=None):
        """Returns a table that sets rows beside real ones.

        Args:
            x: Rows, `(batch, features)`.
            data: Real rows, `(rows, features)`; by default the held-out rows.

        Returns:
            A pandas DataFrame with an index of `row` and `column`, and the columns `value`,
            `percentile`, the share of the data below it, of which those alike count half, and
            `nearest`, the value of the real row that is nearest in units of the data's deviations.
        """
        from xai.activation_maximization.priors.comparison import compare

        return compare(self, x, self.held_out if data is None else data)

    def _quantiles(self, scores):
        """Returns the numeric columns' values of normal scores, `(rows, numeric)`."""
        return marginals.quantiles(self.parameters[:3], scores)

    def _members(self):
        """Returns the column numbers of each one-hot group."""
        return [np.flatnonzero(self.groups == group) for group in range(self.groups.max() + 1)]


def _spread(numeric, columns, seed):
    """Returns the numeric columns with integers spread over a unit each.

    Raises:
        ValueError: A column has a single value.
    """
    places = np.flatnonzero(columns["groups"] == NUMERIC)
    random = np.random.default_rng([seed, 1])  # another stream than that of the split
    noise = random.uniform(-0.5, 0.5, numeric.shape)
    constant = places[(numeric == numeric[:1]).all(axis=0) & ~columns["integer"][places]]
    if len(constant):
        raise ValueError(
            f"Columns {constant.tolist()} ({', '.join(columns['names'][constant])}) have a single "
            "value each: a density needs values that vary. Name columns of whole numbers in "
            "integer, and leave others out of the table and the model."
        )
    return numeric + noise * columns["integer"][places]


def _fit_numeric(numeric, seed):
    """Returns the fields of the numeric columns by name."""
    from sklearn.covariance import LedoitWolf

    if not numeric.shape[1]:
        nothing = np.ones((0, 1))
        return {
            "weights": nothing,
            "means": nothing,
            "deviations": nothing,
            "correlation": np.ones((0, 0)),
        }
    weights, means, deviations = marginals.fit(numeric, seed)
    tails = marginals.log_tails(marginals.parameters(weights, means, deviations), numeric, np)
    covariance = LedoitWolf().fit(normal_score(*tails, np)).covariance_
    units = np.sqrt(np.diag(covariance))
    return {
        "weights": weights,
        "means": means,
        "deviations": deviations,
        "correlation": covariance / units / units[:, np.newaxis],
    }


def _frequencies(fitted, groups):
    """Returns each category's frequency, one row of each added, 1 for numeric columns.

    Source: Laplace's rule of succession.
    """
    frequencies = np.ones(len(groups))
    for group in range(groups.max() + 1):
        counts = fitted[:, groups == group].sum(axis=0) + 1
        frequencies[groups == group] = counts / counts.sum()
    return frequencies
