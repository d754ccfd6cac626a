"""Estimating Shapley values of any game: one door to all estimators."""

import dataclasses
import functools
import itertools
import math

import numpy as np

from xai.shapley.coalitions import complemented, sampled_pairs
from xai.shapley.exact import all_values, shapley_values_of_table
from xai.shapley.gaussian_process import MOST_PAIRS, posterior
from xai.shapley.permutation import Moments, drawn_samples, draws, permutation_sampling, samples
from xai.shapley.regression import regress

METHODS = ("auto", "exact", "permutation", "antithetic", "kernel", "gaussian_process")
_PAIRED = ("kernel", "gaussian_process")
_WALKS = ("permutation", "antithetic")
_GROWTH = 1.5  # of the evaluations between two looks at the error


@dataclasses.dataclass(frozen=True, eq=False)
class Estimate:
    """Estimated Shapley values of a game.

    Attributes:
        values: `(players, ...)`, each in the shape of a value of the game; they sum to the value of
            all players together minus that of none, to float precision.
        standard_error: Of the values, in their shape; NaN where one sample tells nothing of it.
        evaluations: The number of coalitions that the game was asked for, in all.
        base_value: The game's value without any player.
        full_value: The game's value with all players, likewise.
        method: The estimator.
        state: What the estimator can go on from, arrays by name; None where all is known.
    """

    values: np.ndarray
    standard_error: np.ndarray
    evaluations: int
    base_value: np.ndarray
    full_value: np.ndarray
    method: str
    state: dict | None = None

    @property
    def error(self):
        """The largest standard error as a part of the spread of the values of its output."""
        spread = np.ptp(self.values, axis=0)
        largest = self.standard_error.max(axis=0)
        return float(np.max(np.where(largest > 0, largest / np.maximum(spread, 1e-300), largest)))


def shapley_values(game, players, evaluations, method="auto", seed=0, tolerance=None):
    """Estimates the Shapley values of a game.

    Args:
        game: A function from coalitions, a bool array `(n, players)`, to values `(n,)`,
            `(n, outputs)` or `(n, rows, outputs)`. The Gaussian process knows outputs of one row to
            be alike, as the classes of a net are, and fits them together.
        players: The number of players.
        evaluations: The most coalitions to ask the game for.
        method: `"exact"`: all coalitions; `"permutation"`: the mean of a player's marginal
            contributions over sampled permutations; `"antithetic"`: each permutation followed by
            its reverse; `"kernel"`: least squares on pairs of a coalition and its complement;
            `"gaussian_process"`: the posterior given such pairs, of the least error where games are
            smooth; `"auto"`: exact if the budget allows, else the Gaussian process, kernel where
            that would take too many pairs, and permutations where there are few for the players
            (less than 4 evaluations for each, less than 32 beyond 8,194).
        seed: Of the coalitions; one seed gives the same ones everywhere.
        tolerance: Evaluations stop when the largest standard error is at most this part of the
            spread of an output's values, from the largest to the smallest.

    Returns:
        An `Estimate`.

    Raises:
        ValueError: A budget too small (the message says the smallest that works) or too large for
            the method, an unknown method, or a game whose values are not finite or of another
            shape.

    Example:
        >>> weights = np.array([3.0, 1.0])
        >>> shapley_values(lambda s: s @ weights, players=2, evaluations=4).values
        array([3., 1.])

    Source: Castro et al. 2009, Polynomial calculation of the Shapley value based on sampling
    (Computers & Operations Research 36); Mitchell et al. 2022, Sampling permutations for Shapley
    value estimation (JMLR 23) for antithetic pairs; the estimators' files for the others.
    """
    return estimate(game, players, evaluations, method=method, seed=seed, tolerance=tolerance)


def estimate(
    game,
    players,
    evaluations,
    *,
    method,
    seed=0,
    tolerance=None,
    versions=1,
    state=None,
    report=None,
):
    """Returns an `Estimate` that may go on from an earlier one; see `shapley_values`.

    Args:
        game: See `shapley_values`, as for all but the last three.
        players: The number of players.
        evaluations: The most coalitions to ask for, beyond those of the earlier estimate.
        method: The estimator, one that can go on from the state.
        seed: Of the coalitions, that of the earlier estimate.
        tolerance: Of the error.
        versions: If more than 1, the game is the mean of so many versions of itself, which differ
            in all but the full coalition, and its second argument says which one to play each
            coalition in; each permutation plays one of them. See `is_drawn`.
        state: `Estimate.state` of an earlier estimate of the same game.
        report: A function of the evaluations so far and `Estimate.error`, called now and then.
    """
    check_positive("players", players)
    check_settings(evaluations, method, tolerance)
    players, evaluations = int(players), int(evaluations)
    done = 0 if state is None else int(state["evaluations"])
    earlier = None if state is None else str(state["method"])
    method = _chosen(method, players, done + evaluations, earlier, versions)
    _check_budget(method, players, done + evaluations)
    look = tolerance is not None or report is not None
    budgets = _budgets(done, done + evaluations, _smallest(method, players), look)
    estimator = functools.partial(_drawn, versions) if versions > 1 else _ESTIMATORS[method]
    for found in estimator(_Checked(game), players, budgets, seed, method, state):
        if report is not None:
            report(found.evaluations, found.error)
        if tolerance is not None and found.error <= tolerance:
            break
    return found


def is_drawn(method, players, evaluations, versions):
    """Whether a mean of versions of a game is estimated by permutations that play one version each.

    They take fewer evaluations than coalitions played in all versions. `"auto"` takes them wherever
    they err less, by the measurements in `tests/benchmarks`; a method by name only where it could
    not afford its first sample otherwise.

    Args:
        method: See `shapley_values`, as for the next.
        players: The number of players.
        evaluations: The most to spend.
        versions: The number of versions.
    """
    if versions == 1:
        return False
    coalitions = 1 + (evaluations - 1) // versions  # the full one is the same in all versions
    if method != "auto":
        return method in _WALKS and coalitions < _smallest(method, players)
    best, few = _automatic(players, coalitions), 1.6 * math.sqrt(versions) * players
    return best in _WALKS or (best != "exact" and coalitions < few)


def is_walk(method, players, evaluations):
    """Whether the estimator of a method goes along permutations; see `shapley_values`."""
    return (_automatic(players, evaluations) if method == "auto" else method) in _WALKS


def _exact(game, players, budgets, seed, method, state):
    """Yields the values of a game asked for all coalitions."""
    table = all_values(game, players)
    values = shapley_values_of_table(table)
    yield Estimate(values, np.zeros_like(values), len(table), table[0], table[-1], method)


def _permutation(game, players, budgets, seed, method, state):
    """Yields the mean contributions over more and more permutations."""
    antithetic = method == "antithetic"
    nobody_everybody = np.array([[False] * players, [True] * players])
    ends = game(nobody_everybody) if state is None else state["ends"]
    cost = _cost_of_walk(method, players)

    def take(orders, first):
        return samples(game, orders, ends[:1], ends[1], antithetic)

    counts = [(budget - 2) // cost if cost else 1 for budget in budgets]
    for found in permutation_sampling(take, players, counts, seed, _known(state)):
        spent = 2 + found.count * cost
        state = _state(method, spent, {**_arrays(found), "ends": ends})
        yield Estimate(found.mean, found.standard_error, spent, *ends, method, state)


def _drawn(versions, game, players, budgets, seed, method, state):
    """Yields the mean contributions over more and more permutations, each in a version drawn."""
    antithetic = method == "antithetic"
    everybody = np.ones((1, players), bool)
    top = game(everybody, np.zeros(1, int))[0] if state is None else state["top"]
    cost = 1 + _cost_of_walk(method, players)
    counts = [(budget - 1) // cost for budget in budgets]
    version = draws(versions, counts[-1], seed)

    def take(orders, first):
        played = version[first : first + len(orders)]
        return drawn_samples(game, orders, played, top, antithetic)

    for found in permutation_sampling(take, players, counts, seed, _known(state)):
        spent = 1 + found.count * cost
        arrays = {**_arrays(found), "top": top, "versions": np.array(versions)}
        state = _state(method, spent, arrays)
        (*values, base), (*errors, _) = found.mean, found.standard_error
        yield Estimate(np.array(values), np.array(errors), spent, base, top, method, state)


def _cost_of_walk(method, players):
    """Returns the evaluations from the empty coalition to the full one, without both ends."""
    return (players - 1) * (2 if method == "antithetic" else 1)


def _known(state):
    """Returns the moments of the first permutations, None if none are known."""
    return None if state is None else Moments(int(state["count"]), state["mean"], state["squares"])


def _arrays(moments):
    return {name: np.asarray(value) for name, value in vars(moments).items()}


def _paired(game, players, budgets, seed, method, state):
    """Yields what more and more pairs of coalitions tell."""
    values = None if state is None else state["values"]
    if values is None:
        values = game(np.array([[False] * players, [True] * players]))
    pairs = sampled_pairs(players, seed)
    halves = np.zeros((0, players), bool)
    for budget in budgets:
        wanted = min((budget - 2) // 2, 2 ** (players - 1) - 1)
        more = list(itertools.islice(pairs, wanted - len(halves)))
        halves = np.concatenate([halves, np.array(more, bool).reshape(-1, players)])
        known = (len(values) - 2) // 2
        if len(halves) > known:
            values = np.concatenate([values, game(complemented(halves[known:]))])
        results = _solve(method, halves, values)
        spent = len(values)
        yield Estimate(
            *results, spent, *values[:2], method, _state(method, spent, {"values": values})
        )


def _solve(method, halves, values):
    """Returns Shapley values and standard errors given the game's ends and pairs of coalitions."""
    shape = (halves.shape[1], *values.shape[1:])
    together = shape[2] if len(shape) == 3 else 1
    values = values.reshape(len(values), -1)
    total = values[1] - values[0]
    odd = (values[2::2] - values[3::2]) / 2
    if method == "kernel":
        found, errors = regress(halves, odd, total)
    else:
        every = np.ones((1, halves.shape[1]), bool)
        found, errors = posterior(np.r_[every, halves], np.r_[total[None] / 2, odd], together)
        found = found + (total - found.sum(axis=0)) / len(found)  # rounding
    return found.reshape(shape), errors.reshape(shape)


def _state(method, evaluations, arrays):
    return {"method": np.array(method), "evaluations": np.array(evaluations), **arrays}


_ESTIMATORS = {
    "exact": _exact,
    "permutation": _permutation,
    "antithetic": _permutation,
    "kernel": _paired,
    "gaussian_process": _paired,
}


def _chosen(method, players, evaluations, earlier, versions):
    """Returns the estimator of a method, which must be able to go on from an earlier one."""
    if method == "auto" and earlier is None and versions > 1:
        affords = evaluations >= _smallest("antithetic", players)
        return "antithetic" if affords else "permutation"
    if method == "auto" and earlier is None:
        return _automatic(players, evaluations)
    if method == "auto":
        return "kernel" if earlier in _PAIRED and _too_many(evaluations) else earlier
    if earlier in (None, method) or {earlier, method} == set(_PAIRED):
        return method
    raise ValueError(f"An estimate by {earlier!r} cannot be gone on with by {method!r}.")


def _automatic(players, evaluations):
    """Returns the estimator of least error, by the measurements in `tests/benchmarks`."""
    if evaluations >= 2**players:
        return "exact"
    if evaluations < _smallest("antithetic", players):
        return "permutation"
    if evaluations < 4 * players:
        return "antithetic"
    if not _too_many(evaluations):
        return "gaussian_process"
    return "kernel" if evaluations >= 32 * players else "antithetic"


def _too_many(evaluations):
    return (evaluations - 2) // 2 > MOST_PAIRS


def _smallest(method, players):
    """Returns the smallest budget of an estimator."""
    if method in _PAIRED:
        return 2 + 2 * min(players, 2 ** (players - 1) - 1)
    return 2**players if method == "exact" else 2 + _cost_of_walk(method, players)


def _budgets(done, evaluations, smallest, look):
    """Returns the evaluations at which an estimate is due, the last the whole budget."""
    if not look:
        return [evaluations]
    first = max(done + 1, 2 * smallest)
    grown = (math.ceil(first * _GROWTH**i) for i in itertools.count())
    return [*itertools.takewhile(lambda budget: budget < evaluations, grown), evaluations]


def check_positive(name, number):
    """Refuses a number of something that is no positive int.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(number, int | np.integer) or number < 1:
        raise ValueError(f"{name} is a positive int; received {number!r}.")


def check_settings(evaluations, method, tolerance):
    """Refuses settings that no game allows; see `shapley_values`.

    Raises:
        ValueError: A budget that is no positive int, an unknown method, or a bad tolerance.
    """
    check_positive("evaluations", evaluations)
    if method not in METHODS:
        raise ValueError(f"method is one of {', '.join(METHODS)}; received {method!r}.")
    if tolerance is not None and not (isinstance(tolerance, int | float) and tolerance > 0):
        raise ValueError(f"tolerance is None or a positive number; received {tolerance!r}.")


def _check_budget(method, players, evaluations):
    smallest = _smallest(method, players)
    if evaluations < smallest:
        raise ValueError(
            f"The method {method!r} for {players} players needs at least {smallest} evaluations; "
            f"received {evaluations}. Raise the budget or group the inputs into fewer players."
        )
    if method == "gaussian_process" and _too_many(evaluations):
        raise ValueError(
            f"The method 'gaussian_process' solves for all pairs at once and takes at most "
            f"{2 + 2 * MOST_PAIRS} evaluations; received {evaluations}. Take 'kernel' or 'auto'."
        )


class _Checked:
    """A game that returns float64 `(n, ...)`, or names what it returned instead."""

    def __init__(self, game):
        self._game = game
        self.walk = self._walk if getattr(game, "walk", None) else None

    def __call__(self, coalitions, *versions):
        return _finite(self._game(coalitions, *versions), len(coalitions))

    def _walk(self, orders):
        return _finite(self._game.walk(orders), orders.size - len(orders))


def _finite(values, count):
    """Returns a game's values of so many coalitions as float64.

    Raises:
        ValueError: They have another shape, or are not finite.
    """
    values = np.asarray(values, "float64")
    if values.ndim not in (1, 2, 3) or len(values) != count:
        raise ValueError(
            f"A game returns one value (or one row of outputs) per coalition, {count} here; "
            f"received an array of shape {values.shape}."
        )
    if not np.isfinite(values).all():
        raise ValueError("The game returned NaN or infinite values.")
    return values
