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


def permutation_sampling(take, players, counts, seed, known=None):
    """Yields the moments of more and more samples, one of each random permutation.

    Args:
        take: A function of permutations `(n, players)` and the number of the first of them to
            samples `(n, ...)`.
        players: The number of players.
        counts: Numbers of samples after which to yield, rising.
        seed: Of the permutations.
        known: The moments of the first samples, if they are known.
    """
    per_chunk = max(1, CHUNK // (2 * players**2))
    random = np.random.default_rng(seed)
    done = 0 if known is None else known.count
    for _ in range(done):
        random.permutation(players)
    for count in counts:
        while done < count:
            orders = [random.permutation(players) for _ in range(min(per_chunk, count - done))]
            chunk = Moments.of(take(np.array(orders), done))
            known = chunk if known is None else known.merge(chunk)
            done = known.count
        yield known


def samples(game, orders, bottom, top, antithetic):
    """Returns what each player adds along permutations, `(orders, players, ...)`.

    Args:
        game: A function of coalitions, `players - 1` for each permutation, one after the other.
        orders: Permutations, `(orders, players)`.
        bottom: The value without any player, `(orders or 1, ...)`.
        top: The value of all players, `(...)`.
        antithetic: Whether to take the mean of each permutation and its reverse.
    """
    if not antithetic:
        return _marginals(game, orders, bottom, top)
    bottoms = np.concatenate([bottom, bottom]) if len(bottom) > 1 else bottom
    both = _marginals(game, np.concatenate([orders, orders[:, ::-1]]), bottoms, top)
    return (both[: len(orders)] + both[len(orders) :]) / 2


def drawn_samples(game, orders, versions, top, antithetic):
    """Returns what each player adds, then the value of nobody, `(orders, players + 1, ...)`.

    Args:
        game: A function of coalitions `(n, players)` and of which of its versions each is played
            in, `(n,)`.
        orders: Permutations, `(orders, players)`.
        versions: The version that each permutation is played in, `(orders,)`.
        top: The value of all players, the same in all versions.
        antithetic: See `samples`.
    """
    players = orders.shape[1]

    def of_versions(coalitions):
        walks = np.resize(versions, len(coalitions) // (players - 1))  # the reverse ones come last
        return game(coalitions, np.repeat(walks, players - 1))

    bottom = game(np.zeros(orders.shape, bool), versions)
    added = samples(of_versions, orders, bottom, top, antithetic)
    return np.concatenate([added, bottom[:, None]], axis=1)


def draws(versions, count, seed):
    """Returns the numbers of versions to play, `(count,)`: all of them in turn, in random order."""
    random = np.random.default_rng([seed, versions])
    rounds = [random.permutation(versions) for _ in range(-(-count // versions))]
    return np.concatenate(rounds)[:count]


def _marginals(game, orders, bottom, top):
    """Returns what each player adds when it joins, for each order."""
    count, players = orders.shape
    ranks = np.argsort(orders, axis=1)  # the position at which each player joins
    values = _passed(game, orders, ranks) if players > 1 else np.empty((0, *top.shape))
    values = values.reshape(count, players - 1, *top.shape)
    ends = [np.broadcast_to(end, (count, *top.shape))[:, None] for end in (bottom, top)]
    steps = np.diff(np.concatenate([ends[0], values, ends[1]], axis=1), axis=1)
    shape = ranks.shape + (1,) * top.ndim
    return np.take_along_axis(steps, ranks.reshape(shape), axis=1)


def _passed(game, orders, ranks):
    """Returns the values of the coalitions that orders pass, by a game's own way if it has one."""
    walk = getattr(game, "walk", None)
    if walk:
        return walk(orders)
    players = orders.shape[1]
    joined = np.arange(1, players)[None, :, None] > ranks[:, None, :]
    return game(joined.reshape(-1, players))
