"""Shapley values by a Gaussian process on the odd part of a game.

The Shapley value depends only on the odd part, half the difference between a coalition and its
complement. A coalition is a vector of signs `s`; functions of it have the Walsh expansion
`sum_U b_U prod_{i in U} s_i`, whose Shapley values are `2 b_U / |U|` for each player of each odd
`U`. The prior makes the `b_U` independent, their variances a product over the players in `U`, so
that a player who matters little takes little part in interactions. To it come main effects of one
variance, and white noise over all odd functions. The kernel's scales maximize the likelihood.

Source: Fumagalli et al. 2026 (arXiv 2602.01399) for the odd part; the product kernel and its
Shapley values in closed form follow from the expansion above (`|U|` by Gauss-Legendre, exactly).
"""

import dataclasses

import numpy as np
from scipy import linalg, optimize
from threadpoolctl import threadpool_limits

from xai.shapley.coalitions import joining_weights
from xai.shapley.permutation import widened

MOST_PAIRS = 4096  # the kernel matrix is solved at once
_FIRST = 256  # pairs that the scales of the players are fitted to
_MORE = 1024  # pairs that the rest is fitted to
_LOG_SPREAD = 1.0  # prior deviation of the players' log scales from their mean
_WHITE = (-8.0, 3.0)  # prior mean and deviation of the log variance of the white part


@dataclasses.dataclass(frozen=True, eq=False)
class Prior:
    """A Gaussian process over odd functions of signs, up to its variance.

    Attributes:
        scales: How much less two coalitions have in common for each player in one alone, in logs.
        linear: The variance of the main effects, summed over the players.
        white: The variance of white noise.
    """

    scales: np.ndarray
    linear: float
    white: float

    @classmethod
    def of(cls, theta):
        """Returns the prior of parameters: log scales of players, log variances of the rest."""
        return cls(np.exp(theta[:-2]), *np.exp(theta[-2:]))

    @property
    def rates(self):
        """Of each player, below 1; the variance of a Walsh coefficient is their product."""
        return np.tanh(self.scales / 2)

    def covariance(self, odd, effects):
        """Returns the kernel matrix of coalitions, given those of its parts, `(n, n)`."""
        covariance = odd + self.linear * effects
        covariance[np.diag_indices(len(odd))] += self.white
        return covariance

    def shapley_values(self, signs):
        """Returns the Shapley values of the kernel as a function of either coalition, `(n, d)`."""
        players = signs.shape[1]
        nodes, weights = np.polynomial.legendre.leggauss(players // 2 + 1)
        rates = self.rates
        present, absent = 1 + rates[:, None] * nodes, 1 - rates[:, None] * nodes
        is_in = signs > 0
        logs = is_in @ np.log(present) + ~is_in @ np.log(absent) - np.log1p(rates).sum()
        terms = np.exp(logs) * weights
        of_product = np.where(is_in, terms @ (1 / present.T), -terms @ (1 / absent.T)) * rates
        sizes = is_in.sum(axis=1)[:, None]
        joins = joining_weights(players)
        of_white = np.where(is_in, joins[np.maximum(sizes - 1, 0)], -joins[sizes % players])
        return of_product + 2 * self.linear / players * signs + 2 * self.white * of_white

    def variances(self):
        """Returns the variances of the Shapley values before any observation, `(d,)`."""
        rates, players = self.rates, len(self.scales)
        of_product = [rate * _odd_sum(np.delete(rates, i)) for i, rate in enumerate(rates)]
        of_product = np.array(of_product) / np.prod(1 + rates)
        of_white = joining_weights(players).sum() / players
        return 4 * (of_product + self.linear / players + self.white * of_white)


def posterior(halves, odd_values):
    """Returns Shapley values and their standard errors given values of the odd part.

    Args:
        halves: Coalitions, bool `(n, players)`, the full one among them, none with its complement.
        odd_values: Half the difference of the game at each and at its complement, `(n, outputs)`.

    Returns:
        Two arrays `(players, outputs)`.
    """
    signs = np.where(halves, 1.0, -1.0)
    results = [_posterior(signs, values) for values in odd_values.T]
    return tuple(np.stack(part, axis=1) for part in zip(*results, strict=True))


def _posterior(signs, values):
    """Returns Shapley values and standard errors of one output, `(players,)` each."""
    size = np.sqrt(np.mean(values**2))
    if size == 0:
        return np.zeros((2, signs.shape[1]))
    values = values / size
    with threadpool_limits(1, "blas"):  # more threads only wait for one another on small matrices
        prior = Prior.of(_fit(signs, values))
    odd, _ = _products(signs, prior.scales)
    factor = linalg.cholesky(prior.covariance(odd, _effects(signs)), lower=True)
    whitened = linalg.solve_triangular(factor, values, lower=True)
    projected = linalg.solve_triangular(factor, prior.shapley_values(signs), lower=True)
    left = prior.variances() - np.sum(projected**2, axis=0)
    degrees = max(len(signs) - signs.shape[1] - 2, len(signs) / 4)  # what the fit has left
    deviation = np.sqrt(whitened @ whitened / degrees * np.maximum(left, 0))
    return size * (projected.T @ whitened), size * widened(deviation, degrees)


def _fit(signs, values):
    """Returns the parameters of the most likely prior.

    The players' scales are fitted to few pairs, their common factor and the rest to more.
    """
    players = signs.shape[1]
    start = np.concatenate([np.full(players, np.log(0.4)), [2.0, _WHITE[0]]])
    ends = [(-2.0, 8.0), (-16.0, 2.0)]
    first = signs[:_FIRST], values[:_FIRST]
    theta = _minimize(_loss, start, first, [(-7.0, 1.5)] * players + ends)
    if len(signs) <= _FIRST:
        return theta

    def shifted(shift, signs, values):
        loss, gradient = _loss(np.r_[theta[:-2] + shift[0], shift[1:]], signs, values)
        return loss, np.r_[gradient[:-2].sum(), gradient[-2:]]

    more = signs[:_MORE], values[:_MORE]
    shift = _minimize(shifted, np.r_[0.0, theta[-2:]], more, [(-2.0, 2.0), *ends])
    return np.r_[theta[:-2] + shift[0], shift[1:]]


def _minimize(loss, start, arguments, bounds):
    options = {"maxiter": 60 if len(start) > 3 else 12}
    return optimize.minimize(
        loss, start, arguments, "L-BFGS-B", jac=True, bounds=bounds, options=options
    ).x


def _loss(theta, signs, values):
    """Returns the negative log posterior of parameters, the variance profiled, and its gradient."""
    count, logs, prior = len(signs), theta[:-2], Prior.of(theta)
    odd, even = _products(signs, prior.scales)
    effects = _effects(signs)
    covariance = prior.covariance(odd, effects)
    factor, failed = linalg.lapack.dpotrf(covariance, lower=True, overwrite_a=True)
    if failed:
        return np.inf, np.zeros_like(theta)
    solved = linalg.cho_solve((factor, True), values)
    energy = max(values @ solved, np.finfo(float).tiny)
    loss = count / 2 * np.log(energy / count) + np.log(np.diag(factor)).sum()

    inverse, _ = linalg.lapack.dpotri(factor, lower=True, overwrite_c=True)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    slope = inverse - np.outer(solved, solved) * (count / energy)  # of twice the loss
    of_scales = np.einsum("ni,ni->i", signs, (slope * even) @ signs) - np.vdot(slope, odd)
    of_linear, of_white = np.vdot(slope, effects), np.trace(slope)
    gradient = np.r_[
        of_scales * prior.scales / 4, prior.linear * of_linear / 2, prior.white * of_white / 2
    ]
    away = (logs - logs.mean()) / _LOG_SPREAD
    noise = (theta[-1] - _WHITE[0]) / _WHITE[1]
    gradient[:-2] += away / _LOG_SPREAD
    gradient[-1] += noise / _WHITE[1]
    return loss + (away @ away + noise**2) / 2, gradient


def _products(signs, scales):
    """Returns the odd and the even part of the kernel `exp(-sum of the scales of who differs)`."""
    agreement = signs @ (signs * (scales / 2)).T
    same, opposite = np.exp(agreement - scales.sum() / 2), np.exp(-agreement - scales.sum() / 2)
    return (same - opposite) / 2, (same + opposite) / 2


def _effects(signs):
    """Returns the kernel matrix of main effects of one variance, which sum to 1."""
    return signs @ signs.T / signs.shape[1]


def _odd_sum(rates):
    """Returns the sum over even sets of players of the product of rates by `(size + 1)^2`."""
    symmetric = np.array([1.0])  # elementary symmetric polynomials, one player after the other
    for rate in rates:
        symmetric = np.convolve(symmetric, [1.0, rate])
    sizes = np.arange(0, len(symmetric), 2)
    return np.sum(symmetric[sizes] / (sizes + 1) ** 2)
