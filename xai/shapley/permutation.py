"""Permutation sampling: mean marginal contributions over random orders of the players."""

import dataclasses

import numpy as np
from scipy import special

from xai.shapley.coalitions import CHUNK


def widened(deviation, degrees):
    """Returns a standard error so that 1.96 of it cover 95 % where few degrees of freedom told it.

    By Student's t distribution; 1.3 times at 4 degrees, 1.03 times at 40.
    """
    return deviation * (special.stdtrit(degrees, 0.975) / special.ndtri(0.975))


@dataclasses.dataclass(frozen=True, eq=False)
class Moments:
    """The running mean and spread of samples, merged chunk by chunk (Chan et al. 1979)."""

    count: int
    mean: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, samples):
        """Returns the moments of an array of samples along its first axis."""
        mean = samples.mean(axis=0)
        return cls(len(samples), mean, ((samples - mean) ** 2).sum(axis=0))

    def merge(self, other):
        """Returns the moments of both sets of samples together."""
        count = self.count + other.count
        delta = other.mean - self.mean
        mean = self.mean + delta * (other.count / count)
        cross = delta**2 * (self.count * other.count / count)
        return Moments(count, mean, self.squares + other.squares + cross)

    @property
    def standard_error(self):
        """The standard error of the mean; NaN for a single sample."""
        if self.count < 2:
            return np.full_like(self.mean, np.nan)
        deviation = np.sqrt(self.squares / (self.count - 1) / self.count)
        return widened(deviation, self.count - 1)


def permutation_sampling(game, players, budgets, seed, antithetic, known=None):
    """Yields the moments of sampled marginal contributions, the game's ends, the evaluations.

    The ends are its values with no player and with all, `(2, ...)`.

    A sample is what each player adds along one permutation, or the mean over a permutation and its
    reverse. It spends `players - 1` evaluations a permutation, and two for the empty and the full
    coalition, which all permutations share.

    Args:
        game: See `shapley_values`.
        players: The number of players.
        budgets: Evaluations in all after which to yield, rising.
        seed: Of the permutations.
        antithetic: Whether each is followed by its reverse.
        known: The moments of the first permutations and the ends, if they are known.
    """
    if known is None:
        known = None, game(np.array([[False] * players, [True] * players]))
    moments, ends = known
    cost = max(players - 1, 1) * (2 if antithetic else 1)
    per_chunk = max(1, CHUNK // (cost * players))
    random = np.random.default_rng(seed)
    done = 0 if moments is None else moments.count
    for _ in range(done):
        random.permutation(players)
    for budget in budgets:
        count = (budget - 2) // cost if players > 1 else 1
        while done < count:
            orders = [random.permutation(players) for _ in range(min(per_chunk, count - done))]
            chunk = Moments.of(_samples(game, np.array(orders), ends, antithetic))
            moments = chunk if moments is None else moments.merge(chunk)
            done = moments.count
        yield moments, ends, 2 + (done * cost if players > 1 else 0)


def _samples(game, orders, ends, antithetic):
    """Returns one sample of all players' contributions per order, `(orders, players, ...)`."""
    if not antithetic:
        return _marginals(game, orders, ends)
    both = _marginals(game, np.concatenate([orders, orders[:, ::-1]]), ends)
    return (both[: len(orders)] + both[len(orders) :]) / 2


def _marginals(game, orders, ends):
    """Returns what each player adds when it joins, for each order."""
    count, players = orders.shape
    ranks = np.argsort(orders, axis=1)  # the position at which each player joins
    joined = np.arange(1, players)[None, :, None] > ranks[:, None, :]
    values = game(joined.reshape(-1, players)) if players > 1 else ends[:0]
    values = values.reshape(count, players - 1, *ends.shape[1:])
    bottom = np.broadcast_to(ends[0], (count, 1, *ends.shape[1:]))
    top = np.broadcast_to(ends[1], (count, 1, *ends.shape[1:]))
    steps = np.diff(np.concatenate([bottom, values, top], axis=1), axis=1)
    shape = ranks.shape + (1,) * (steps.ndim - 2)
    return np.take_along_axis(steps, ranks.reshape(shape), axis=1)
