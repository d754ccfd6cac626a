"""Exact Shapley values from all coalitions."""

import math

import numpy as np

from xai.shapley.coalitions import CHUNK, joining_weights


def all_values(game, players):
    """Returns a game's values at all coalitions, `(2**players, ...)`, in binary order."""
    numbers = np.arange(2**players)
    chunks = np.array_split(numbers, math.ceil(len(numbers) * players / CHUNK))
    return np.concatenate([game(_coalitions(chunk, players)) for chunk in chunks])


def shapley_values_of_table(values):
    """Returns the Shapley values, `(players, ...)`, of a game given at all coalitions.

    Each is the mean of what the player adds over the sizes of coalitions without it, and within
    a size over the coalitions.

    Args:
        values: `(2**players, ...)`; bit `i` of the place says whether player `i` is present.
    """
    players = len(values).bit_length() - 1
    numbers = np.arange(len(values))
    sizes = _coalitions(numbers, players).sum(axis=1)
    weights = joining_weights(players)

    def value(player):
        without = numbers[(numbers >> player) % 2 == 0]
        added = values[without + 2**player] - values[without]
        return np.tensordot(weights[sizes[without]], added, axes=(0, 0))

    return np.array([value(player) for player in range(players)])


def _coalitions(numbers, players):
    """Returns the coalitions whose players are the bits of numbers, `(n, players)`."""
    return (numbers[:, None] >> np.arange(players)) % 2 == 1
