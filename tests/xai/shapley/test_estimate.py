"""Shapley's axioms, exactness and honesty of the sampled estimates, on any game."""

import itertools
import math

import numpy as np
import pytest

from xai.shapley import shapley_values
from xai.shapley.estimate import estimate

SAMPLED = ("permutation", "antithetic", "kernel", "gaussian_process")
METHODS = ("exact", *SAMPLED)
LINEAR = ("exact", "permutation", "antithetic", "kernel")  # a Gaussian process adapts to its game


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
    found = shapley_values(game, 6, 200, method)
    np.testing.assert_allclose(
        found.values.sum(axis=0), found.full_value - found.base_value, atol=1e-13
    )
    np.testing.assert_allclose(found.base_value, game(np.zeros((1, 6), bool))[0])


def network(players, seed=0):
    """A game like those of trained networks: a smooth function of a random two-layer net."""
    random = np.random.default_rng(seed)
    first = random.normal(size=(players, 12)) * random.exponential(size=(players, 1))
    bias, last = random.normal(size=12), random.normal(size=12)
    return lambda coalitions: np.tanh((coalitions - 0.5) @ first / np.sqrt(players) + bias) @ last


@pytest.mark.parametrize("method", SAMPLED)
def test_an_interval_of_two_standard_errors_covers_95_percent(method):
    covered, errors = [], []
    for seed in range(60):
        game = network(9, seed)
        found = shapley_values(game, 9, 130, method, seed=seed)
        error = found.values - shapley_values(game, 9, 512, "exact").values
        covered.append(np.abs(error) < 1.96 * found.standard_error)
        errors.append(error / found.standard_error)
    # 540 errors, nine of each game together: the deviation of the part covered is about 1 %.
    assert 0.92 <= np.mean(covered) <= 0.98
    assert np.abs(np.mean(errors)) < 0.2


@pytest.mark.parametrize("method", METHODS)
def test_symmetric_players_agree_and_a_dummy_gets_nothing_beyond_its_worth(method):
    def game(coalitions):
        a, b, _, dummy, *_ = coalitions.T
        return np.where(a & b, 8.0, 0.0) + 2.0 * dummy

    found = shapley_values(game, 6, 64, method)
    tolerance = 4 * found.standard_error.max() + 1e-12
    np.testing.assert_allclose(found.values[:2], 4.0, atol=tolerance)
    np.testing.assert_allclose(found.values[2:4], [0.0, 2.0], atol=min(tolerance, 0.5))


@pytest.mark.parametrize("method", METHODS)
def test_all_coalitions_make_every_paired_estimate_exact(method):
    if method in ("permutation", "antithetic"):
        pytest.skip("permutations repeat coalitions")
    game = random_game(6, outputs=2)
    found = shapley_values(game, 6, 64, method)
    truth = np.stack([exact(lambda s, o=o: game(s)[:, o], 6) for o in range(2)], axis=1)
    np.testing.assert_allclose(found.values, truth, atol=1e-6)
    assert found.evaluations == 64


@pytest.mark.parametrize("method", SAMPLED)
def test_permutations_and_regressions_agree_with_the_definition(method):
    game = network(8)
    found = shapley_values(game, 8, 200, method)
    error = np.abs(found.values - exact(game, 8))
    assert np.all(error < 4.5 * found.standard_error)


@pytest.mark.parametrize("method", LINEAR)
def test_estimates_are_linear_in_the_game(method):
    one, two = random_game(5, seed=1), random_game(5, seed=2)
    values = [
        shapley_values(game, 5, 100, method).values
        for game in (one, two, lambda s: 3 * one(s) - two(s))
    ]
    np.testing.assert_allclose(values[2], 3 * values[0] - values[1], atol=1e-12)


def versions_of_network(players, versions, seed):
    """A mean of networks, their full coalition the same, and its exact Shapley values."""
    games = [network(players, 100 * seed + number) for number in range(versions)]
    full = np.ones((1, players), bool)

    def game(coalitions, version):
        values = np.stack([each(coalitions) - each(full) for each in games])
        return values[version, np.arange(len(coalitions))]

    def mean(coalitions):
        return np.mean([each(coalitions) - each(full) for each in games], axis=0)

    return game, shapley_values(mean, players, 2**players, "exact").values


@pytest.mark.parametrize("method", ["permutation", "antithetic"])
def test_the_error_accounts_for_the_versions_drawn(method):
    covered, errors = [], []
    for seed in range(80):
        game, truth = versions_of_network(6, 200, seed)
        found = estimate(game, 6, 200, method=method, seed=seed, versions=200)
        assert found.evaluations <= 200
        covered.append(np.abs(found.values - truth) < 1.96 * found.standard_error)
        errors.append((found.values - truth) / found.standard_error)
    assert 0.92 <= np.mean(covered) <= 0.98
    assert np.abs(np.mean(errors)) < 0.2


def test_antithetic_pairs_are_exact_for_games_of_order_two():
    matrix = np.random.default_rng(0).normal(size=(6, 6))

    def game(coalitions):
        s = coalitions.astype(float)
        return np.einsum("ni,ij,nj->n", s, matrix, s)

    found = shapley_values(game, 6, 2 + 10, "antithetic")
    np.testing.assert_allclose(found.values, exact(game, 6), atol=1e-12)


@pytest.mark.parametrize("method", ["antithetic", "kernel", "gaussian_process"])
def test_pairs_are_exact_for_main_effects_and_whatever_is_even(method):
    random = np.random.default_rng(0)
    weights, matrix = random.normal(size=7), random.normal(size=(7, 7))

    def game(coalitions):
        signs = np.where(coalitions, 1.0, -1.0)
        return signs @ weights + np.einsum("ni,ij,nj->n", signs, matrix, signs)

    values = shapley_values(game, 7, 30, method).values
    np.testing.assert_allclose(values, 2 * weights, atol=1e-6)


@pytest.mark.parametrize("method", ["permutation", "antithetic"])
def test_permutation_sampling_is_unbiased(method):
    game = random_game(6)
    samples = np.array([shapley_values(game, 6, 12, method, s).values for s in range(400)])
    deviation = samples.std(axis=0) / np.sqrt(len(samples))
    assert np.all(np.abs(samples.mean(axis=0) - exact(game, 6)) < 4 * deviation)


def test_outputs_share_their_evaluations():
    game = random_game(5, outputs=2)
    together = shapley_values(game, 5, 100)
    for output in range(2):
        alone = shapley_values(lambda s, o=output: game(s)[:, o], 5, 100)
        np.testing.assert_allclose(together.values[:, output], alone.values, atol=1e-12)


@pytest.mark.parametrize("method", SAMPLED)
def test_rows_do_not_depend_on_one_another(method):
    def game(coalitions):
        values = np.stack([network(8, seed)(coalitions) for seed in range(4)], axis=1)
        return values.reshape(-1, 2, 2)

    both = shapley_values(game, 8, 100, method)
    assert both.values.shape == both.standard_error.shape == (8, 2, 2)
    for row in range(2):
        alone = shapley_values(lambda s, r=row: game(s)[:, [r]], 8, 100, method)
        np.testing.assert_allclose(both.values[:, [row]], alone.values, atol=1e-12)
        np.testing.assert_allclose(both.standard_error[:, [row]], alone.standard_error, atol=1e-12)


@pytest.mark.parametrize("method", [*SAMPLED, "auto"])
@pytest.mark.parametrize("players", [1, 2, 7])
def test_evaluations_are_a_hard_limit_and_counted(method, players):
    asked = []

    def game(coalitions):
        asked.append(len(coalitions))
        return coalitions.sum(axis=1)

    found = shapley_values(game, players, 50, method)
    assert found.evaluations == sum(asked) <= 50
    np.testing.assert_allclose(found.values, 1.0)


def test_chunks_do_not_change_the_result(monkeypatch):
    whole = shapley_values(random_game(6), 6, 300, "antithetic")
    monkeypatch.setattr("xai.shapley.permutation.CHUNK", 64)
    chunked = shapley_values(random_game(6), 6, 300, "antithetic")
    np.testing.assert_allclose(chunked.values, whole.values, atol=1e-13)
    np.testing.assert_allclose(chunked.standard_error, whole.standard_error, atol=1e-13)


@pytest.mark.parametrize("method", SAMPLED)
def test_one_seed_gives_one_result_and_leaves_the_global_random_state_alone(method):
    before = np.random.get_state()[1].copy()
    a, b, c = (shapley_values(random_game(8), 8, 100, method, seed).values for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 1e-3
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_a_single_sample_has_no_standard_error():
    assert np.isnan(shapley_values(random_game(4), 4, 8, "antithetic").standard_error).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"evaluations": 6}, "'permutation' for 6 players needs at least 7 evaluations; rece"),
        ({"evaluations": 11, "method": "antithetic"}, "needs at least 12 evaluations"),
        ({"evaluations": 13, "method": "kernel"}, "needs at least 14 evaluations"),
        ({"evaluations": 63, "method": "exact"}, "needs at least 64 evaluations"),
        ({"evaluations": 9000, "method": "gaussian_process"}, "at most 8194 evaluations; received"),
        ({"evaluations": 0}, "evaluations is a positive int; received 0"),
        ({"evaluations": 1e3}, "evaluations is a positive int; received 1000.0"),
        ({"players": 0}, "players is a positive int; received 0"),
        ({"method": "kernels"}, "one of auto, exact, permutation, .*; received 'kernels'"),
        ({"tolerance": 0}, "tolerance is None or a positive number; received 0"),
        ({"game": lambda s: 3.0}, r"one value .* per coalition, 64 here; received .* shape \(\)"),
        ({"game": lambda s: np.full(len(s), np.nan)}, "returned NaN"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    defaults = {"game": random_game(6), "players": 6, "evaluations": 100}
    with pytest.raises(ValueError, match=message):
        shapley_values(**{**defaults, **settings})


@pytest.mark.parametrize("method", SAMPLED)
def test_going_on_equals_the_whole_budget_at_once(method):
    game = network(7)
    first = shapley_values(game, 7, 62, method)
    rest = estimate(game, 7, 60, method=method, state=first.state)
    whole = shapley_values(game, 7, first.evaluations + 60, method)
    assert rest.evaluations == whole.evaluations
    np.testing.assert_allclose(rest.values, whole.values, atol=1e-12)
    np.testing.assert_allclose(rest.standard_error, whole.standard_error, atol=1e-12)


@pytest.mark.parametrize("method", SAMPLED)
def test_a_tolerance_stops_early_and_the_looks_change_no_value(method):
    game, seen = network(12), []
    start = shapley_values(game, 12, 60, method).error
    found = estimate(
        game,
        12,
        4000,
        method=method,
        tolerance=start / 4,
        report=lambda *looked: seen.append(looked),
    )
    assert found.evaluations < 4000
    assert found.error <= start / 4 < seen[-2][1]
    assert seen[-1] == (found.evaluations, found.error)
    alone = shapley_values(game, 12, found.evaluations, method)
    np.testing.assert_allclose(alone.values, found.values, atol=1e-12)


def test_a_state_of_another_method_is_refused():
    state = shapley_values(network(9), 9, 60, "antithetic").state
    with pytest.raises(ValueError, match="by 'antithetic' cannot be gone on with by 'kernel'"):
        estimate(network(9), 9, 60, method="kernel", state=state)


@pytest.mark.parametrize("method", ["kernel", "gaussian_process"])
def test_either_paired_method_goes_on_from_the_other_s_pairs(method):
    (other,) = {"kernel", "gaussian_process"} - {method}
    first = shapley_values(network(7), 7, 62, other)
    rest = estimate(network(7), 7, 40, method=method, state=first.state)
    whole = shapley_values(network(7), 7, 102, method)
    assert rest.method == method
    np.testing.assert_allclose(rest.values, whole.values, atol=1e-12)


def test_automatic_choice_knows_what_each_budget_is_good_for():
    chosen = {m: shapley_values(network(20), 20, m).method for m in (21, 40, 80, 9000)}
    assert chosen == {21: "permutation", 40: "antithetic", 80: "gaussian_process", 9000: "kernel"}
    assert shapley_values(network(9), 9, 512).method == "exact"
    assert shapley_values(network(64), np.int64(64), 300).method == "gaussian_process"
    assert shapley_values(network(300), 300, 9000).method == "antithetic"


def test_a_gaussian_process_beats_least_squares_on_a_smooth_game():
    errors = {}
    for method in ("kernel", "gaussian_process"):
        parts = []
        for seed in range(8):
            truth = shapley_values(network(10, seed), 10, 1024, "exact").values
            found = shapley_values(network(10, seed), 10, 256, method, seed).values
            parts.append(np.sum((found - truth) ** 2) / np.sum(truth**2))
        errors[method] = np.mean(parts)
    assert errors["gaussian_process"] < 0.5 * errors["kernel"]


def test_least_squares_of_many_players_are_of_full_precision():
    weights = np.random.default_rng(0).normal(size=64)
    for seed in range(4):
        found = shapley_values(lambda s: s @ weights, 64, 2048, "kernel", seed)
        np.testing.assert_allclose(found.values, weights, atol=1e-10)
