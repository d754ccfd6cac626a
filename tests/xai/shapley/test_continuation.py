"""Going on from an earlier result: as if the budgets had been one, or refused."""

import keras
import numpy as np
import pytest
from keras import layers

import xai

METHODS = ("permutation", "antithetic")
X = np.random.default_rng(0).normal(size=(2, 6)).astype("float32")


@pytest.fixture
def model():
    return keras.Sequential(
        [keras.Input((6,)), layers.Dense(8, activation="tanh"), layers.Dense(3)]
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("target", [None, "all", [0, 2]])
def test_two_budgets_make_the_result_of_their_sum(model, method, target, tmp_path):
    shapley = xai.SampledShapley(model, 0.0)
    settings = {"target": target, "method": method}
    whole = shapley(X, evaluations=2 + 20 * 5, **settings)
    first = shapley(X, evaluations=2 + 8 * 5, **settings)
    first.save(tmp_path / "first.npz")
    first = xai.Attribution.load(tmp_path / "first.npz")
    both = shapley(X, evaluations=12 * 5, continue_from=first, **settings)
    assert both.evaluations == whole.evaluations == 102
    np.testing.assert_allclose(both.values, whole.values, atol=1e-6)
    np.testing.assert_allclose(both.standard_error, whole.standard_error, atol=1e-6)
    np.testing.assert_allclose(both.residual, 0, atol=1e-12)


def test_permutations_that_draw_a_background_row_go_on_too(model):
    shapley = xai.SampledShapley(model, np.random.default_rng(1).normal(size=(20, 6)))
    first = shapley(X, 0, evaluations=1 + 4 * 11)
    both = shapley(X, 0, evaluations=3 * 11, continue_from=first)
    whole = shapley(X, 0, evaluations=1 + 7 * 11)
    assert both.evaluations == whole.evaluations == 78
    np.testing.assert_allclose(both.values, whole.values, atol=1e-6)
    np.testing.assert_allclose(both.base_score, whole.base_score, rtol=1e-6)


def test_rows_with_players_of_their_own_go_on_too(model):
    shapley = xai.SampledShapley(model, 0.0, lambda row: np.arange(6) // (1 + (row[0] > 0)))
    settings = {"method": "permutation"}
    first = shapley(X, evaluations=42, **settings)
    both = shapley(X, evaluations=60, continue_from=first, **settings)
    whole = shapley(X, evaluations=102, **settings)
    np.testing.assert_allclose(both.values, whole.values, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "call", "differing"),
    [
        ({}, {"x": X + 1}, "inputs"),
        ({}, {"target": 1}, "target"),
        ({}, {"target": lambda scores: scores[:, 0]}, "target"),
        ({}, {"method": "antithetic"}, "method"),
        ({"seed": 1}, {}, "seed"),
        ({"baseline": 1.0}, {}, "baseline"),
        ({"players": np.array([0, 0, 1, 1, 2, 3])}, {}, "players"),
        ({"output": "probability"}, {}, "output"),
    ],
)
def test_a_result_of_something_else_is_refused(model, settings, call, differing):
    call = {"x": X, "target": 0, "method": "permutation", **call}
    first = xai.SampledShapley(model, 0.0)(X, target=0, method="permutation", evaluations=42)
    shapley = xai.SampledShapley(model, **{"baseline": 0.0, **settings})
    with pytest.raises(ValueError, match=rf"continue_from is a result of other {differing}: only"):
        shapley(**call, evaluations=42, continue_from=first)


def test_a_result_of_lrp_is_refused(model):
    first = xai.LRP(model)(X)
    with pytest.raises(ValueError, match="'lrp' has nothing to go on from"):
        xai.SampledShapley(model, 0.0)(X, continue_from=first)
