"""Estimating Shapley values of any game: one door to all estimators."""

import functools
import itertools
import math

import numpy as np

from xai.shapley.choice import check_budget, check_positive, check_settings, chosen, smallest
from xai.shapley.estimators import ESTIMATORS, drawn

_GROWTH = 1.5  # of the evaluations between two looks at the error


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
    method = chosen(method, players, done + evaluations, earlier, versions)
    check_budget(method, players, done + evaluations)
    look = tolerance is not None or report is not None
    budgets = _budgets(done, done + evaluations, smallest(method, players), look)
    estimator = functools.partial(drawn, versions) if versions > 1 else ESTIMATORS[method]
    for found in estimator(_Checked(game), players, budgets, seed, method, state):
        if report is not None:
            report(found.evaluations, found.error)
        if tolerance is not None and found.error <= tolerance:
            break
    return found


def _budgets(done, evaluations, smallest, look):
    """Returns the evaluations at which an estimate is due, the last the whole budget."""
    if not look:
        return [evaluations]
    first = max(done + 1, 2 * smallest)
    grown = (math.ceil(first * _GROWTH**i) for i in itertools.count())
    return [*itertools.takewhile(lambda budget: budget < evaluations, grown), evaluations]


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
