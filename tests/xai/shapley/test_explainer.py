"""Shapley values of a Keras model: players, baselines, targets, batches."""

import keras
import numpy as np
import pytest
from keras import layers

import xai
from xai.shapley import shapley_values


def linear(*shape):
    return keras.Sequential(
        [keras.Input(shape), layers.Flatten(), layers.Dense(3, bias_initializer="normal")]
    )


def convolutional():
    return keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )


def images(count=3):
    return np.random.default_rng(0).uniform(size=(count, 6, 6, 2)).astype("float32")


def test_a_linear_model_gets_weight_times_difference_from_the_baseline():
    model = linear(5)
    x = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    baseline = np.linspace(-1, 1, 5)
    attribution = xai.SampledShapley(model, baseline)(x, target=1, evaluations=30)
    kernel = model.layers[-1].get_weights()[0]
    np.testing.assert_allclose(attribution.values, (x - baseline) * kernel[:, 1], atol=1e-5)
    np.testing.assert_allclose(attribution.score, model.predict(x, verbose=0)[:, 1], rtol=1e-5)
    start = model.predict(baseline[None], verbose=0)[:, 1]
    np.testing.assert_allclose(attribution.base_score, np.repeat(start, 4), rtol=1e-5)


def test_exact_values_equal_those_of_shap():
    shap = pytest.importorskip("shap")
    random = np.random.default_rng(0)
    model = keras.Sequential([keras.Input((5,)), layers.Dense(8, "tanh"), layers.Dense(3)])
    background, x = random.normal(size=(4, 5)), random.normal(size=(2, 5))
    masker = shap.maskers.Independent(background)
    peer = shap.ExactExplainer(lambda rows: model.predict(rows, verbose=0), masker)(x)
    shapley = xai.SampledShapley(model, masker)
    ours = shapley(x, target="all", evaluations=1 + 4 * 31, method="exact")
    np.testing.assert_allclose(ours.values, peer.values, atol=1e-6)
    np.testing.assert_allclose(ours.base_score, peer.base_values, atol=1e-6)


@pytest.mark.parametrize("players", [None, 2, 4])
def test_values_sum_to_the_score_difference(players):
    attribution = xai.SampledShapley(convolutional(), 0.0, players)(images(), evaluations=200)
    np.testing.assert_allclose(attribution.residual, 0, atol=1e-12)
    np.testing.assert_allclose(
        attribution.player_values.sum(axis=1), attribution.score - attribution.base_score
    )


@pytest.mark.parametrize(
    ("shape", "players", "count"),
    [
        ((6, 6, 2), None, 36),
        ((6, 6, 2), 2, 9),
        ((6, 6, 2), 4, 4),
        ((6, 6, 2), np.repeat(np.arange(6), 6).reshape(6, 6), 6),
        ((6, 6, 2), np.arange(72).reshape(6, 6, 2), 72),
        ((5,), None, 5),
        ((5,), np.array([7, 7, 3, 3, 3]), 2),
        ((4, 3), None, 12),
        ((4, 3), np.arange(4), 4),
    ],
)
def test_players_are_elements_pixels_patches_or_segments(shape, players, count):
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    attribution = xai.SampledShapley(linear(*shape), 0.0, players)(x, evaluations=160)
    assert attribution.player_values.shape == (2, count)
    assert attribution.standard_error.shape == (2, count)
    assert attribution.values.shape == x.shape


def test_a_player_s_value_spreads_evenly_over_its_elements():
    attribution = xai.SampledShapley(linear(6, 6, 2), 0.0, 2)(images(1), evaluations=40)
    patch = attribution.values[0, 2:4, 4:6]
    np.testing.assert_allclose(patch, patch.flat[0])
    np.testing.assert_allclose(patch.sum(), attribution.player_values[0, 5])


def test_players_may_differ_by_row():
    halves, columns = np.repeat([0, 1], 18).reshape(6, 6), np.tile(np.arange(6), (6, 1))

    def segments(row):
        return halves if row.sum() > 36 else columns

    x = images(2)
    x[0] += 1
    x[1] *= 0.1
    attribution = xai.SampledShapley(convolutional(), 0.0, segments)(x, evaluations=60)
    assert np.isnan(attribution.player_values[0, 2:]).all()
    assert np.isfinite(attribution.player_values[1]).all()
    np.testing.assert_allclose(attribution.residual, 0, atol=1e-12)


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_results_do_not_depend_on_the_batch_size(batch_size):
    x, model = images(), convolutional()
    expected = xai.SampledShapley(model, 0.5, 3)(x, evaluations=40)
    other = xai.SampledShapley(model, 0.5, 3, batch_size=batch_size)(x, evaluations=40)
    np.testing.assert_allclose(other.values, expected.values, atol=1e-5)


def test_a_row_does_not_depend_on_the_other_rows():
    shapley, x = xai.SampledShapley(convolutional(), 0.0, 2), images()
    alone = shapley(x[1:2], evaluations=100)
    np.testing.assert_allclose(shapley(x, evaluations=100).values[1:2], alone.values, atol=1e-5)


def test_probabilities_are_explained_on_request():
    model, x = convolutional(), images()
    attribution = xai.SampledShapley(model, 0.0, 3, output="probability")(x, evaluations=40)
    np.testing.assert_allclose(attribution.score, model.predict(x, verbose=0).max(1), rtol=1e-5)


def test_targets_are_classes_or_a_function_of_the_scores():
    model, x = convolutional(), images()
    shapley = xai.SampledShapley(model, 0.0, 3)
    settings = {"evaluations": 40, "method": "permutation"}
    one, two = (shapley(x, target=target, **settings) for target in (1, [2, 2, 2]))
    margin = shapley(x, target=lambda scores: scores[:, 1] - scores[:, 2], **settings)
    np.testing.assert_allclose(margin.values, one.values - two.values, atol=1e-5)
    assert margin.target is None
    predicted = model.predict(x, verbose=0).argmax(axis=1)
    np.testing.assert_array_equal(shapley(x, evaluations=40).target, predicted)


def test_new_weights_of_the_model_are_seen():
    model, x = convolutional(), images()
    shapley = xai.SampledShapley(model, 0.0, 3)
    before = shapley(x, target=0, evaluations=20).score
    model.set_weights([2 * weight for weight in model.get_weights()])
    after = shapley(x, target=0, evaluations=20).score
    assert np.abs(after - before).max() > 1e-3


def test_knowing_the_predicted_class_costs_nothing():
    shapley, x = xai.SampledShapley(convolutional(), 0.0, 3), images()
    settings = {"evaluations": 50, "method": "antithetic"}
    given, predicted = (shapley(x, target, **settings) for target in (0, None))
    assert given.evaluations == predicted.evaluations == 2 + 6 * 8


def test_progress_shows_one_bar_over_evaluations_and_the_error(capsys):
    attribution = xai.SampledShapley(convolutional(), 0.0, 3)(
        images(), evaluations=60, method="antithetic", progress=True
    )
    last = capsys.readouterr().err.strip().rpartition("\r")[2]
    assert f"{attribution.evaluations}/60" in last
    assert "error=" in last


def test_a_tolerance_ends_the_evaluations_early():
    shapley, x = xai.SampledShapley(convolutional(), 0.0, 2), images()
    settings = {"evaluations": 4000, "method": "permutation"}
    attribution = shapley(x, tolerance=0.1, **settings)
    assert attribution.evaluations < 4000
    spread = np.ptp(attribution.player_values, axis=1)
    assert (attribution.standard_error.max(axis=1) <= 0.1 * spread).all()


def test_values_are_those_of_the_game_in_numpy_on_every_backend():
    random = np.random.default_rng(0)
    model = keras.Sequential(
        [keras.Input((6,)), layers.Dense(8, activation="tanh"), layers.Dense(3)]
    )
    weights = [random.normal(size=w.shape).astype("float32") for w in model.get_weights()]
    model.set_weights(weights)
    x = random.normal(size=(1, 6)).astype("float32")

    def game(coalitions):
        hidden = np.tanh((coalitions * x) @ weights[0] + weights[1])
        return (hidden @ weights[2] + weights[3])[:, 1]

    settings = {"evaluations": 42, "method": "permutation"}
    attribution = xai.SampledShapley(model, 0.0, seed=3)(x, target=1, **settings)
    estimate = shapley_values(game, 6, seed=3, **settings)
    np.testing.assert_allclose(attribution.values[0], estimate.values, atol=1e-5)
    np.testing.assert_allclose(attribution.standard_error[0], estimate.standard_error, atol=1e-5)


def test_all_outputs_are_explained_at_once():
    model, x = convolutional(), images()
    shapley = xai.SampledShapley(model, 0.0, 3)
    together = shapley(x, target="all", evaluations=40)
    assert together.target is None
    assert together.values.shape == (*x.shape, 3)
    assert together.score.shape == together.base_score.shape == (3, 3)
    assert together.player_values.shape == together.standard_error.shape == (3, 4, 3)
    np.testing.assert_allclose(together.residual, 0, atol=1e-12)
    for target in range(3):
        alone = shapley(x, target=target, evaluations=40)
        assert together.evaluations == alone.evaluations
        np.testing.assert_allclose(together.values[..., target], alone.values, atol=1e-5)


def test_one_of_several_outputs_is_explained():
    inputs = keras.Input((4,))
    a, b = layers.Dense(2, name="a")(inputs), layers.Dense(3, name="b")(inputs)
    model, x = keras.Model(inputs, [a, b]), np.ones((2, 4), "float32")
    shapley = xai.SampledShapley(model, 0.0)
    attribution = shapley(x, target=("b", 2), evaluations=20)
    kernel = model.get_layer("b").get_weights()[0]
    np.testing.assert_allclose(attribution.values, x * kernel[:, 2], atol=1e-5)
    assert attribution.settings["target_output"] == "b"
    assert shapley(x, target=("a", "all"), evaluations=20).score.shape == (2, 2)
    both = shapley(x, target=lambda outputs: outputs[0][:, 0] + outputs[1][:, 0], evaluations=20)
    np.testing.assert_allclose(both.residual, 0, atol=1e-12)
    with pytest.raises(ValueError, match="a target is a pair such as"):
        shapley(x)


def test_the_global_random_state_is_not_touched():
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    xai.SampledShapley(convolutional(), 0.0, 2)(images(), evaluations=60)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_a_record_survives_saving(tmp_path):
    attribution = xai.SampledShapley(convolutional(), images(2), 3)(images(), evaluations=40)
    attribution.save(tmp_path / "shapley.npz")
    loaded = xai.Attribution.load(tmp_path / "shapley.npz")
    np.testing.assert_array_equal(loaded.values, attribution.values)
    np.testing.assert_array_equal(loaded.settings["baseline"], images(2))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"baseline": "mean"}, ValueError, "baseline 'mean' is unknown; .* 'blur'"),
        ({"baseline": np.zeros((9, 6, 2))}, ValueError, r"\('n', 6, 6, 2\); received \(9, 6, 2\)"),
        ({"baseline": np.zeros((0, 6, 6, 2))}, ValueError, r"received \(0, 6, 6, 2\)"),
        ({"baseline": None}, ValueError, "Every input is held fixed"),
        ({"baseline": np.nan}, ValueError, "baseline has NaN"),
        ({"players": np.zeros((3, 3), int)}, ValueError, r"shape of a row, \(6, 6, 2\)"),
        ({"players": np.zeros((6, 6))}, TypeError, "Segment ids are integers; received float64"),
        ({"players": 0}, ValueError, "players=0 means square patches"),
        ({"batch_size": 0}, ValueError, "batch_size is None or a positive int; received 0"),
        ({"output": "logits"}, ValueError, "output is one of 'auto', 'probability'"),
    ],
)
def test_bad_settings_are_refused(settings, error, message):
    settings = {"baseline": 0.0, **settings}
    with pytest.raises(error, match=message):
        xai.SampledShapley(convolutional(), **settings)(images())


def test_patches_of_what_is_no_image_are_refused():
    with pytest.raises(ValueError, match=r"square patches of an image .* shape \(5,\)"):
        xai.SampledShapley(linear(5), 0.0, players=2)(np.ones((1, 5)))
