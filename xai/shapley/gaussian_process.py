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
import functools

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
_LOG_NODES = 32  # beyond half the players: an integral with a logarithm to 1e-14

_gauss_legendre = functools.cache(np.polynomial.legendre.leggauss)


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

    @property
    def _log_sum(self):
        """The logarithm of the sum of the products of rates over all sets of players."""
        return np.log1p(self.rates).sum()

    def covariance(self, odd, effects):
        """Returns the kernel matrix of coalitions, given those of its parts, `(n, n)`."""
        covariance = odd + self.linear * effects
        covariance[np.diag_indices(len(odd))] += self.white
        return covariance

    def shapley_values(self, signs):
        """Returns the Shapley values of the kernel as a function of either coalition, `(n, d)`."""
        players = signs.shape[1]
        nodes, weights = _gauss_legendre(players // 2 + 1)
        rates = self.rates
        present, absent = 1 + rates[:, None] * nodes, 1 - rates[:, None] * nodes
        is_in = signs > 0
        logs = is_in @ np.log(present) + ~is_in @ np.log(absent) - self._log_sum
        terms = np.exp(logs) * weights
        of_product = np.where(is_in, terms @ (1 / present.T), -terms @ (1 / absent.T)) * rates
        sizes = is_in.sum(axis=1)[:, None]
        joins = joining_weights(players)
        of_white = np.where(is_in, joins[np.maximum(sizes - 1, 0)], -joins[sizes % players])
        return of_product + 2 * self.linear / players * signs + 2 * self.white * of_white

    def variances(self):
        """Returns the variances of the Shapley values before any observation, `(d,)`."""
        rates, players = self.rates[:, None], len(self.scales)
        nodes, weights = _gauss_legendre(players // 2 + _LOG_NODES)
        root = (nodes + 1) / 2
        place = root**6  # 1 / (k + 1)^2 is the integral of -log(t) t^k over t from 0 to 1
        weights = weights * -np.log(root) * 18 * root**5
        logs = np.log1p([rates * place, -rates * place])
        of_others = logs.sum(axis=1, keepdims=True) - logs
        even = np.exp(of_others - self._log_sum).mean(axis=0)
        of_product = self.rates * (even @ weights)
        of_white = joining_weights(players).sum() / players
        return 4 * (of_product + self.linear / players + self.white * of_white)


def posterior(halves, odd_values, together=1):
    """Returns Shapley values and their standard errors given values of the odd part.

    Args:
        halves: Coalitions, bool `(n, players)`, the full one among them, none with its complement.
        odd_values: Half the difference of the game at each and at its complement, `(n, outputs)`.
        together: How many outputs, one after the other, share their scales, as those of one row do.

    Returns:
        Two arrays `(players, outputs)`.
    """
    signs = np.where(halves, 1.0, -1.0)
    groups = np.split(odd_values, range(together, odd_values.shape[1], together), axis=1)
    results = [_posterior(signs, values) for values in groups]
    return tuple(np.concatenate(part, axis=1) for part in zip(*results, strict=True))


def _posterior(signs, values):
    """Returns Shapley values and standard errors of outputs of one prior, `(players, outputs)`."""
    sizes = np.sqrt(np.mean(values**2, axis=0))
    if not sizes.any():
        return np.zeros((2, signs.shape[1], len(sizes)))
    values = values / np.where(sizes, sizes, 1)
    with threadpool_limits(1, "blas"):  # more threads only wait for one another on small matrices
        prior = Prior.of(_fit(signs, values[:, sizes > 0]))
    odd, _ = _products(signs, prior.scales)
    factor = linalg.cholesky(prior.covariance(odd, _effects(signs)), lower=True)
    whitened = linalg.solve_triangular(factor, values, lower=True)
    projected = linalg.solve_triangular(factor, prior.shapley_values(signs), lower=True)
    left = np.maximum(prior.variances() - np.sum(projected**2, axis=0), 0)
    degrees = max(len(signs) - signs.shape[1] - 2, len(signs) / 4)  # what the fit has left
    deviation = np.sqrt(np.sum(whitened**2, axis=0) / degrees * left[:, None])
    return sizes * (projected.T @ whitened), sizes * widened(deviation, degrees)


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
    (count, outputs), logs, prior = values.shape, theta[:-2], Prior.of(theta)
    odd, even = _products(signs, prior.scales)
    effects = _effects(signs)
    covariance = prior.covariance(odd, effects)
    factor, failed = linalg.lapack.dpotrf(covariance, lower=True, overwrite_a=True)
    if failed:
        return np.inf, np.zeros_like(theta)
    solved = linalg.cho_solve((factor, True), values)
    energy = np.maximum(np.sum(values * solved, axis=0), np.finfo(float).tiny)
    loss = count / 2 * np.log(energy / count).sum() + outputs * np.log(np.diag(factor)).sum()

    inverse, _ = linalg.lapack.dpotri(factor, lower=True, overwrite_c=True)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    slope = outputs * inverse - (solved * (count / energy)) @ solved.T  # of twice the loss
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
