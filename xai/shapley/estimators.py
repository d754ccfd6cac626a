"""The estimators of Shapley values by name: each yields what more and more evaluations tell."""

import dataclasses
import itertools

import numpy as np

from xai.shapley.choice import cost_of_walk
from xai.shapley.coalitions import complemented, sampled_pairs
from xai.shapley.exact import all_values, shapley_values_of_table
from xai.shapley.gaussian_process import posterior
from xai.shapley.permutation import Moments, drawn_samples, draws, permutation_sampling, samples
from xai.shapley.regression import regress


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
    cost = cost_of_walk(method, players)

    def take(orders, first):
        return samples(game, orders, ends[:1], ends[1], antithetic)

    counts = [(budget - 2) // cost if cost else 1 for budget in budgets]
    for found in permutation_sampling(take, players, counts, seed, _known(state)):
        spent = 2 + found.count * cost
        state = _state(method, spent, {**_arrays(found), "ends": ends})
        yield Estimate(found.mean, found.standard_error, spent, *ends, method, state)


def drawn(versions, game, players, budgets, seed, method, state):
    """Yields the mean contributions over more and more permutations, each in a version drawn."""
    antithetic = method == "antithetic"
    everybody = np.ones((1, players), bool)
    top = game(everybody, np.zeros(1, int))[0] if state is None else state["top"]
    cost = 1 + cost_of_walk(method, players)
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


ESTIMATORS = {
    "exact": _exact,
    "permutation": _permutation,
    "antithetic": _permutation,
    "kernel": _paired,
    "gaussian_process": _paired,
}
