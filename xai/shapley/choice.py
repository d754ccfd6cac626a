"""Which estimator suits a game and a budget, and what each of them takes."""

import math

import numpy as np

from xai.shapley.gaussian_process import MOST_PAIRS

METHODS = ("auto", "exact", "permutation", "antithetic", "kernel", "gaussian_process")
_PAIRED = ("kernel", "gaussian_process")
_WALKS = ("permutation", "antithetic")


def chosen(method, players, evaluations, earlier, versions):
    """Returns the estimator of a method, which must be able to go on from an earlier one."""
    if method == "auto" and earlier is None and versions > 1:
        affords = evaluations >= smallest("antithetic", players)
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
    if evaluations < smallest("antithetic", players):
        return "permutation"
    if evaluations < 4 * players:
        return "antithetic"
    if not _too_many(evaluations):
        return "gaussian_process"
    return "kernel" if evaluations >= 32 * players else "antithetic"


def _too_many(evaluations):
    return (evaluations - 2) // 2 > MOST_PAIRS


def smallest(method, players):
    """Returns the smallest budget of an estimator."""
    if method in _PAIRED:
        return 2 + 2 * min(players, 2 ** (players - 1) - 1)
    return 2**players if method == "exact" else 2 + cost_of_walk(method, players)


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
        return method in _WALKS and coalitions < smallest(method, players)
    best, few = _automatic(players, coalitions), 1.6 * math.sqrt(versions) * players
    return best in _WALKS or (best != "exact" and coalitions < few)


def is_walk(method, players, evaluations):
    """Whether the estimator of a method goes along permutations; see `shapley_values`."""
    return (_automatic(players, evaluations) if method == "auto" else method) in _WALKS


def cost_of_walk(method, players):
    """Returns the evaluations from the empty coalition to the full one, without both ends."""
    return (players - 1) * (2 if method == "antithetic" else 1)


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


def check_budget(method, players, evaluations):
    """Refuses a budget with which an estimator cannot begin, or does not end.

    Raises:
        ValueError: It is too small, and the message says the smallest that works; or too large.
    """
    least = smallest(method, players)
    if evaluations < least:
        raise ValueError(
            f"The method {method!r} for {players} players needs at least {least} evaluations; "
            f"received {evaluations}. Raise the budget or group the inputs into fewer players."
        )
    if method == "gaussian_process" and _too_many(evaluations):
        raise ValueError(
            f"The method 'gaussian_process' solves for all pairs at once and takes at most "
            f"{2 + 2 * MOST_PAIRS} evaluations; received {evaluations}. Take 'kernel' or 'auto'."
        )
