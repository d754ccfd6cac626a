"""Estimating Shapley values of any game: one door to all estimators."""

import dataclasses

import numpy as np

from xai.shapley.permutation import permutation_sampling


@dataclasses.dataclass(frozen=True, eq=False)
class Estimate:
    """Estimated Shapley values of a game.

    Attributes:
        values: `(players,)`, or `(players, outputs)` for a game of several outputs; they sum to the
            value of all players together minus that of none, to float precision.
        standard_error: Of the values, in their shape; NaN where one sample tells nothing of it.
        evaluations: The number of coalitions that the game was asked for.
        base_value: The game's value without any player, a scalar or `(outputs,)`.
        full_value: The game's value with all players, likewise.
    """

    values: np.ndarray
    standard_error: np.ndarray
    evaluations: int
    base_value: np.ndarray
    full_value: np.ndarray


def shapley_values(game, players, evaluations, method="auto", seed=0, tolerance=None):
    """Estimates the Shapley values of a game.

    Args:
        game: A function from coalitions, a bool array `(n, players)`, to values `(n,)` or
            `(n, outputs)`.
        players: The number of players.
        evaluations: The most coalitions to ask the game for.
        method: `"permutation"`: the mean of a player's marginal contributions over sampled
            permutations; `"antithetic"`: each permutation followed by its reverse, which cancels
            what is odd in the order; `"auto"`: antithetic where the budget has room for a pair.
        seed: Of the permutations; one seed gives the same ones everywhere.
        tolerance: Not in this version; only None.

    Returns:
        An `Estimate`.

    Raises:
        ValueError: A budget too small (the message says the smallest that works), an unknown
            method, or a game whose values are not finite or of another shape.

    Example:
        >>> weights = np.array([3.0, 1.0])
        >>> shapley_values(lambda s: s @ weights, players=2, evaluations=4).values
        array([3., 1.])

    Source: Castro et al. 2009, Polynomial calculation of the Shapley value based on sampling
    (Computers & Operations Research 36); Mitchell et al. 2022, Sampling permutations for Shapley
    value estimation (JMLR 23) for antithetic pairs.
    """
    _check_settings(players, evaluations, method, tolerance)
    pair = 2 + 2 * (players - 1)
    if method == "auto":
        method = "antithetic" if evaluations >= pair else "permutation"
    smallest = pair if method == "antithetic" else 2 + (players - 1)
    if evaluations < smallest:
        raise ValueError(
            f"{method} sampling of {players} players needs at least {smallest} evaluations; "
            f"received {evaluations}. Raise the budget or group the inputs into fewer players."
        )
    samples, ends = permutation_sampling(
        _checked(game), players, evaluations, seed, antithetic=method == "antithetic"
    )
    spent = 2 + samples.count * (smallest - 2)
    return Estimate(samples.mean, samples.standard_error, spent, *ends)


METHODS = ("auto", "permutation", "antithetic")


def _check_settings(players, evaluations, method, tolerance):
    for name, number in (("players", players), ("evaluations", evaluations)):
        if not isinstance(number, int | np.integer) or number < 1:
            raise ValueError(f"{name} is a positive int; received {number!r}.")
    if method not in METHODS:
        raise ValueError(
            f"The method {method!r} is not in this version, which has "
            f"{', '.join(map(repr, METHODS))}."
        )
    if tolerance is not None:
        raise ValueError(
            f"A tolerance is not in this version; received {tolerance!r}. Set evaluations instead."
        )


def _checked(game):
    """Wraps a game so that it returns float64 `(n, ...)` or names what it returned instead."""

    def checked(coalitions):
        values = np.asarray(game(coalitions), "float64")
        if values.ndim not in (1, 2) or len(values) != len(coalitions):
            raise ValueError(
                f"A game returns one value (or one row of outputs) per coalition, {len(coalitions)}"
                f" here; received an array of shape {values.shape}."
            )
        if not np.isfinite(values).all():
            raise ValueError("The game returned NaN or infinite values.")
        return values

    return checked
