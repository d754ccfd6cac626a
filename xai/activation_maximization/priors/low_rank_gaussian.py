"""One normal density over many elements: free along few directions, alike along all others."""

import dataclasses
import functools

import numpy as np
from keras import ops as keras_ops

from xai.activation_maximization.priors import normal
from xai.activation_maximization.priors.prior import Prior, split

_FEWEST_ROWS = 8
_MOST_DIRECTIONS = 256
_JUDGING_SHARE = 0.2  # of the fitted rows: they choose the number of directions
_LEAST_NOISE = 1e-3  # as a share of the mean variance, for data that lie in a subspace


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class LowRankGaussian(Prior):
    """A normal density with a covariance of low rank plus a multiple of identity.

    Along each of a few orthonormal directions it has a variance of its own, along all others one
    and the same: `covariance = D diag(variances - noise) D^T + noise * identity`. Its inverse and
    determinant follow from the directions, so that no matrix of elements by elements is needed.

    Attributes:
        mean: In the shape of one row.
        directions: Orthonormal columns D, `(elements, rank)`.
        variances: Of the data along each direction, `(rank,)`.
        noise: The variance along all other directions, a scalar array.
        low: The least value of each input element in the data.
        high: The greatest value of each input element.
        held_out: Rows that the fit did not see, `(rows, ...)`.
    """

    mean: np.ndarray
    directions: np.ndarray
    variances: np.ndarray
    noise: np.ndarray

    @classmethod
    def fit(cls, x, seed=0):
        """Returns the density of greatest likelihood, of the rank that suits unseen rows best.

        The rank, 256 at most, is the one that gives a fifth of the rows the greatest likelihood
        when fitted on the others; then all rows are fitted. The elements should share one unit, as
        pixels do, for they share one noise.

        Args:
            x: Data in the shape of the model's inputs, `(rows, ...)`.
            seed: Of the choice of the held-out rows, of the fifth, and of the directions' search.

        Raises:
            ValueError: Too few rows, NaN, rows that are all alike, or of one element or too many.

        Source: Tipping & Bishop 1999, Probabilistic principal component analysis (J. R. Stat. Soc.
        B 61), equations 7 and 8; Halko, Martinsson & Tropp 2011, Finding structure with randomness
        (SIAM Review 53), as scikit-learn computes it.
        """
        fitted, data = split(x, seed, _FEWEST_ROWS)
        _check_elements(fitted.shape[1])
        # Held-out rows get 4,450 nats on average and 4,530 with a noise per element, over crops of
        # 40x40x3 from two photographs, 5,120 and 5,190 over 56x56x3, and 5,720 and 5,700 over noisy
        # digits of 64x64: too little for an iterative fit with a floor that has to be chosen. The
        # estimate of Ledoit & Wolf gets -15,070, -20,470 and 5,690.
        rank = best_rank(fitted, seed)
        mean, directions, variances, noises = _components(fitted, seed)
        return cls(
            mean=mean.reshape(data["low"].shape),
            directions=directions[:, :rank],
            variances=variances[:rank],
            noise=np.array(noises[rank]),
            **data,
        )

    @functools.cached_property
    def parameters(self):
        """The mean, the directions, the roots of both precisions, the log-density at the mean."""
        elements, rank = self.directions.shape
        log_volume = np.log(self.variances).sum() + (elements - rank) * np.log(self.noise)
        peak = -0.5 * (elements * np.log(2 * np.pi) + log_volume)
        roots = self.variances**-0.5, self.noise**-0.5
        return self.mean.reshape(1, -1), self.directions, *roots, peak

    def log_density(self, parameters, x, ops=keras_ops):
        """Returns the log-density of each row; see `Prior`."""
        mean, directions, root, noise_root, peak = parameters
        difference = ops.reshape(x, (-1, mean.shape[1])) - mean
        along = ops.matmul(difference, directions)
        # What the directions leave over is squared, not subtracted from the square of the whole,
        # which would cost float32 the digits that count.
        across = difference - ops.matmul(along, ops.transpose(directions))
        squares = ops.sum((along * root) ** 2, axis=-1)
        return peak - 0.5 * (squares + ops.sum((across * noise_root) ** 2, axis=-1))

    @property
    def starts(self):
        """The mean, `(1, ...)`."""
        return self.mean[np.newaxis]

    @functools.cached_property
    def scale(self):
        """The standard deviation of each element when all others are given, in a row's shape."""
        shares = np.square(self.directions)
        precision = shares @ (1 / self.variances) + (1 - shares.sum(axis=1)) / self.noise
        return (precision**-0.5).reshape(self.shape)

    def sample(self, n, seed=0):
        """Returns `n` rows drawn from the density, `(n, ...)`."""
        random = np.random.default_rng(seed)
        white = random.standard_normal((n, len(self.directions)))
        along = white @ self.directions
        deviation = self.noise**0.5
        rows = deviation * white + (along * (self.variances**0.5 - deviation)) @ self.directions.T
        return self.mean + rows.reshape(n, *self.shape)


def _check_elements(elements):
    """Refuses rows that leave no direction, or no room for one.

    Raises:
        ValueError: One element, or too many.
    """
    if not 2 <= elements <= normal.MOST_ENTRIES:
        raise ValueError(
            f"A LowRankGaussian describes rows of 2 to {normal.MOST_ENTRIES} elements; received "
            f"{elements}. Use Norm."
        )


def best_rank(x, seed):
    """Returns the rank that gives a fifth of the rows the greatest likelihood under the others'."""
    judging = round(_JUDGING_SHARE * len(x))
    mean, directions, variances, noises = _components(x[judging:], seed)
    difference = x[:judging] - mean
    along = np.square(difference @ directions).mean(axis=0)
    across = np.square(difference).sum(axis=1).mean() - _sums(along)
    others = x.shape[1] - np.arange(len(noises))
    surprise = _sums(np.log(variances) + along / variances)
    surprise += others * np.log(noises) + across / noises
    return surprise.argmin()


def _components(x, seed):
    """Returns the mean, the principal directions, the variances along them, and a noise per rank.

    The noise of each rank from 0 on is the mean variance along all directions that it leaves out.
    """
    from sklearn.utils.extmath import randomized_svd

    rows, elements = x.shape
    mean = x.mean(axis=0)
    most = min(_MOST_DIRECTIONS, normal.MOST_ENTRIES // elements, rows - 1, elements - 1)
    _, values, directions = randomized_svd(x - mean, most, random_state=seed)
    variances, total = values**2 / rows, x.var(axis=0).sum()
    noises = (total - _sums(variances)) / (elements - np.arange(most + 1))
    least = _LEAST_NOISE * total / elements
    return mean, directions.T, np.maximum(variances, least), np.maximum(noises, least)


def _sums(values):
    """Returns the sums of the first none, one, two and so on of the values."""
    return np.concatenate([[0], np.cumsum(values)])
