"""Shapley's axioms, exactness and honesty of the sampled estimates, on any game."""

import itertools
import math

import numpy as np
import pytest

from xai.shapley import shapley_values

METHODS = ("permutation", "antithetic")


def random_game(players, outputs=None, seed=0):
    shape = (2**players,) if outputs is None else (2**players, outputs)
    table = np.random.default_rng(seed).normal(size=shape)
    return lambda coalitions: table[coalitions @ (2 ** np.arange(players))]


def exact(game, players):
    """The definition: every coalition without a player, weighted by the orders that form it."""
    values = np.zeros(players)
    for player in range(players):
        others = [other for other in range(players) if other != player]
        for size in range(players):
            weight = math.factorial(size) * math.factorial(players - size - 1)
            for coalition in itertools.combinations(others, size):
                mask = np.zeros((2, players), bool)
                mask[:, list(coalition)] = True
                mask[1, player] = True
                without, with_player = game(mask)
                values[player] += weight * (with_player - without)
    return values / math.factorial(players)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("outputs", [None, 3])
def test_efficiency_holds_to_float_precision(method, outputs):
    game = random_game(6, outputs)
    estimate = shapley_values(game, 6, 200, method)
    np.testing.assert_allclose(
        estimate.values.sum(axis=0), estimate.full_value - estimate.base_value, atol=1e-13
    )
    np.testing.assert_allclose(estimate.base_value, game(np.zeros((1, 6), bool))[0])


@pytest.mark.parametrize("method", METHODS)
def test_the_error_is_as_large_as_the_standard_error_says(method):
    game = random_game(5)
    truth = exact(game, 5)
    errors = []
    for seed in range(100):
        estimate = shapley_values(game, 5, 322, method, seed=seed)
        errors.append((estimate.values - truth) / estimate.standard_error)
    # The mean of 500 standardized errors has a deviation of about 0.05, their spread is near 1.
    assert np.abs(np.mean(errors)) < 0.2
    assert 0.8 < np.std(errors) < 1.2


@pytest.mark.parametrize("method", METHODS)
def test_symmetric_players_agree_and_a_dummy_gets_nothing_beyond_its_worth(method):
    def game(coalitions):
        a, b, _, dummy = coalitions.T
        return np.where(a & b, 8.0, 0.0) + 2.0 * dummy

    estimate = shapley_values(game, 4, 20_000, method)
    np.testing.assert_allclose(estimate.values[:2], 4.0, atol=5 * estimate.standard_error[:2].max())
    np.testing.assert_allclose(estimate.values[2:], [0.0, 2.0], atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_estimates_are_linear_in_the_game(method):
    one, two = random_game(5, seed=1), random_game(5, seed=2)
    values = [
        shapley_values(game, 5, 100, method).values
        for game in (one, two, lambda s: 3 * one(s) - two(s))
    ]
    np.testing.assert_allclose(values[2], 3 * values[0] - values[1], atol=1e-12)


def test_antithetic_pairs_are_exact_for_games_of_order_two():
    matrix = np.random.default_rng(0).normal(size=(6, 6))

    def game(coalitions):
        s = coalitions.astype(float)
        return np.einsum("ni,ij,nj->n", s, matrix, s)

    estimate = shapley_values(game, 6, 2 + 10, "antithetic")
    np.testing.assert_allclose(estimate.values, exact(game, 6), atol=1e-12)


def test_outputs_share_their_evaluations():
    game = random_game(5, outputs=2)
    together = shapley_values(game, 5, 100)
    for output in range(2):
        alone = shapley_values(lambda s, o=output: game(s)[:, o], 5, 100)
        np.testing.assert_array_equal(together.values[:, output], alone.values)


@pytest.mark.parametrize("method", [*METHODS, "auto"])
@pytest.mark.parametrize("players", [1, 2, 7])
def test_evaluations_are_a_hard_limit_and_counted(method, players):
    asked = []

    def game(coalitions):
        asked.append(len(coalitions))
        return coalitions.sum(axis=1)

    estimate = shapley_values(game, players, 50, method)
    assert estimate.evaluations == sum(asked) <= 50
    np.testing.assert_allclose(estimate.values, 1.0)


def test_chunks_do_not_change_the_result(monkeypatch):
    whole = shapley_values(random_game(6), 6, 300)
    monkeypatch.setattr("xai.shapley.permutation._CHUNK", 64)
    chunked = shapley_values(random_game(6), 6, 300)
    np.testing.assert_allclose(chunked.values, whole.values, atol=1e-13)
    np.testing.assert_allclose(chunked.standard_error, whole.standard_error, atol=1e-13)


def test_one_seed_gives_one_result_and_leaves_the_global_random_state_alone():
    before = np.random.get_state()[1].copy()
    a, b, c = (shapley_values(random_game(6), 6, 100, seed=seed).values for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 1e-3
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_a_single_sample_has_no_standard_error():
    assert np.isnan(shapley_values(random_game(4), 4, 8, "antithetic").standard_error).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"evaluations": 6}, "permutation sampling of 6 players needs at least 7 evaluations; rec"),
        ({"evaluations": 11, "method": "antithetic"}, "needs at least 12 evaluations"),
        ({"evaluations": 0}, "evaluations is a positive int; received 0"),
        ({"evaluations": 1e3}, "evaluations is a positive int; received 1000.0"),
        ({"players": 0}, "players is a positive int; received 0"),
        ({"method": "kernel"}, "'kernel' is not in this version, which has 'auto', 'perm"),
        ({"tolerance": 0.1}, "tolerance is not in this version; received 0.1"),
        ({"game": lambda s: 3.0}, r"one value .* per coalition, 2 here; received .* shape \(\)"),
        ({"game": lambda s: np.full(len(s), np.nan)}, "returned NaN"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    defaults = {"game": random_game(6), "players": 6, "evaluations": 100}
    with pytest.raises(ValueError, match=message):
        shapley_values(**{**defaults, **settings})
