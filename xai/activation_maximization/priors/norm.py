"""Independent generalised normal densities: a norm of the distance from the mean."""

import dataclasses
import functools
import numbers

import numpy as np
from keras import ops as keras_ops

from xai.activation_maximization.priors import generalized_normal
from xai.activation_maximization.priors.prior import Prior, split

_FEWEST_ROWS = 8

# On 8x8 digits, of which three elements in 64 are constant, held-out rows get 27, 25 and 23 nats on
# average at 0.1, 0.3 and 1 from 1,400 rows and p = 3, 2, 10 and 12 from 100: one value for both.
_AVERAGE_ROWS = 0.3


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Norm(Prior):
    """Independent densities `exp(-|(x - mean) / width|^p)` of the elements, normalized.

    The p-norm as a density with fitted weights: `p = 2` is a normal density without correlations,
    `p = 1` that of Laplace. It is the simplest prior and knows of no neighbourhood; use it for
    comparison, or where elements have nothing to do with one another. Within a tenth of a width of
    the mean the peak is rounded off, and the density normalized with it.

    Attributes:
        mean: In the shape of one row.
        widths: Of each element, in the shape of one row.
        p: The exponent, a scalar array.
        low: The least value of each input element in the data.
        high: The greatest value of each input element.
        held_out: Rows that the fit did not see, `(rows, ...)`.

    Source: see `generalized_normal`.
    """

    mean: np.ndarray
    widths: np.ndarray
    p: np.ndarray

    @classmethod
    def fit(cls, x, p=2, seed=0):
        """Returns the density around the data's mean with the widths of greatest likelihood.

        They are `(p * mean |x - mean|^p)^(1/p)`, as though a third of a row more had the average
        deviations, so that an element that is constant in the data may vary.

        Args:
            x: Data in the shape of the model's inputs, `(rows, ...)`.
            p: The exponent, from 1 on.
            seed: Of the choice of the rows that are held out to know what density is typical.

        Raises:
            ValueError: Too few rows, NaN, rows that are all alike, or an exponent below 1.

        Example:
            >>> prior = xai.priors.Norm.fit(x_train, p=1)
        """
        if not isinstance(p, numbers.Real) or not 1 <= p < np.inf:
            raise ValueError(f"p is a finite number from 1 on; received {p!r}.")
        fitted, data = split(x, seed, _FEWEST_ROWS)
        mean = fitted.mean(axis=0)
        powers = p * np.abs(fitted - mean) ** p
        known = powers.sum(axis=0) + _AVERAGE_ROWS * powers.mean()
        widths = (known / (len(fitted) + _AVERAGE_ROWS)) ** (1 / p)
        shape = data["low"].shape
        return cls(mean=mean.reshape(shape), widths=widths.reshape(shape), p=np.array(p), **data)

    @functools.cached_property
    def parameters(self):
        """The flat mean and widths, the exponent and the log-density at the mean."""
        peak = -np.log(self.widths).sum()
        peak -= self.widths.size * generalized_normal.log_normalizer(float(self.p))
        return self.mean.reshape(-1), self.widths.reshape(-1), self.p.astype("float64"), peak

    def log_density(self, parameters, x, ops=keras_ops):
        """Returns the log-density of each row; see `Prior`."""
        mean, widths, p, peak = parameters
        difference = (ops.reshape(x, (-1, self.low.size)) - mean) / widths
        return peak - ops.sum(generalized_normal.energy(difference * difference, p), axis=-1)

    @property
    def starts(self):
        """The mean, `(1, ...)`."""
        return self.mean[np.newaxis]

    @property
    def scale(self):
        """The standard deviation of each element, in a row's shape."""
        return self.widths * generalized_normal.deviation(float(self.p))

    def sample(self, n, seed=0):
        """Returns `n` rows drawn from the density, `(n, ...)`."""
        random = np.random.default_rng(seed)
        values = generalized_normal.sample((n, *self.shape), float(self.p), random)
        return self.mean + self.widths * values
