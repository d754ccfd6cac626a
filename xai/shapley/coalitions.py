"""Which coalitions to ask for: each with its complement, none twice, in an order that can go on."""

import itertools
import math

import numpy as np

CHUNK = 2**22  # entries of the bool coalitions that a game is asked for at once
_LISTED = 2**14  # sizes of no more coalitions than this are shuffled, not drawn


def joining_weights(players):
    """Returns what counts of a player's joining one coalition of each size, `(players,)`."""
    return np.array([1 / (players * math.comb(players - 1, size)) for size in range(players)])


def pair_sizes(players):
    """Returns the sizes of the smaller halves of pairs, and the number of pairs of each size."""
    sizes = list(range(1, players // 2 + 1))
    counts = [math.comb(players, k) // (2 if 2 * k == players else 1) for k in sizes]
    return sizes, counts


def sampled_pairs(players, seed):
    """Yields halves of pairs of a coalition and its complement, bool `(players,)`, all once.

    Sizes come in turn, each as often as KernelSHAP's weights would draw it, `1 / (k (d - k))` for
    each of the two halves, until there are no more of it; coalitions of a size are drawn without
    replacement. Neither depends on how many are taken.

    Source: Covert & Lee 2021, Improving KernelSHAP (arXiv 2012.01536) for pairs; Musco & Witter
    2024 (arXiv 2410.01917) for sampling without replacement.
    """
    sizes, left = pair_sizes(players)
    draws = [_distinct(players, size, np.random.default_rng([seed, size])) for size in sizes]
    sizes = np.array(sizes)
    chances = 1 / (sizes * (players - sizes)) / np.where(2 * sizes == players, 2, 1)
    taken = np.zeros(len(sizes))
    while any(left):
        waiting = np.where(np.array(left, "float64") > 0, (taken + 0.5) / chances, np.inf)
        index = int(np.argmin(waiting))
        taken[index] += 1
        left[index] -= 1
        yield next(draws[index])


def complemented(halves):
    """Returns each half followed by its complement, `(2 * pairs, players)`."""
    return np.stack([halves, ~halves], axis=1).reshape(-1, halves.shape[1])


def _distinct(players, size, random):
    """Yields the coalitions of a size in random order; of size `players / 2` one of each pair."""
    splits = 2 * size == players
    if math.comb(players, size) <= _LISTED:
        listed = np.array(list(itertools.combinations(range(players), size)))
        listed = listed[listed[:, 0] == 0] if splits else listed
        for members in random.permutation(listed):
            yield _coalition(players, members)
        return
    seen = set()
    while True:
        coalition = _coalition(players, random.choice(players, size, replace=False, shuffle=False))
        coalition = ~coalition if splits and not coalition[0] else coalition
        key = coalition.tobytes()
        if key not in seen:
            seen.add(key)
            yield coalition


def _coalition(players, members):
    coalition = np.zeros(players, bool)
    coalition[members] = True
    return coalition
