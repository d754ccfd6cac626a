"""KernelSHAP: Shapley values by least squares on pairs of a coalition and its complement.

Source: Lundberg & Lee 2017 (arXiv 1705.07874); Covert & Lee 2021 (arXiv 2012.01536) for pairs;
Musco & Witter 2024 (arXiv 2410.01917) for sampling without replacement.
"""

import math

import numpy as np

from xai.shapley.coalitions import pair_sizes


def regress(halves, odd_values, total):
    """Returns Shapley values and their standard errors given values of the odd part of a game.

    A coalition of size `k` counts `1 / (C(d, k) k (d - k))`, times how many there are of its size
    for each one sampled. The values sum to `total` exactly. The errors are those of a sample from
    finite strata, with residuals as in HC3.

    Args:
        halves: Coalitions, bool `(n, players)`, neither full nor empty, none with its complement.
        odd_values: Half the difference of the game at each and at its complement, `(n, outputs)`.
        total: The value of all players minus that of none, `(outputs,)`.

    Returns:
        Two arrays `(players, outputs)`.
    """
    players = halves.shape[1]
    signs = halves - 0.5
    weights, unseen = _weights(halves)
    centre = np.eye(players) - 1 / players  # what the sum leaves free
    squares = centre @ (signs.T @ (weights[:, None] * signs)) @ centre
    influence = np.linalg.pinv(squares, rcond=1e-10, hermitian=True) @ (signs.T * weights)
    equal = np.broadcast_to(total / players, (players, len(total)))
    values = equal + influence @ (odd_values - signs @ equal)

    leverage = np.einsum("in,ni->n", influence, signs)
    kept = np.maximum(1 - leverage, 1 / max(len(halves), 1))
    residuals = (odd_values - signs @ values) / kept[:, None]
    return values, np.sqrt(influence**2 @ (residuals**2 * unseen[:, None]))


def _weights(halves):
    """Returns the weight of each half, and the part of the pairs of its size not sampled."""
    players = halves.shape[1]
    sizes = halves.sum(axis=1)
    sizes = np.minimum(sizes, players - sizes)
    taken = np.bincount(sizes, minlength=players // 2 + 1)
    weights, unseen = np.zeros((2, len(taken)))
    for size, count in zip(*pair_sizes(players), strict=True):
        if taken[size]:
            each = 1 / (math.comb(players, size) * size * (players - size))
            weights[size] = each * (count / taken[size])
            unseen[size] = 1 - taken[size] / count
    return weights[sizes], unseen[sizes]
