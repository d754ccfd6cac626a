"""Shapley values of a Keras model: players, baselines, targets, batches."""

import keras
import numpy as np
import pytest
from keras import layers

import xai


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


def test_evaluations_count_the_prediction_of_the_class():
    shapley, x = xai.SampledShapley(convolutional(), 0.0, 3), images()
    given, predicted = (shapley(x, t, evaluations=50).evaluations for t in (0, None))
    assert given <= 50
    assert predicted <= 50
    assert given == 2 + 6 * 8
    assert predicted == 2 + 6 * 7 + 1


def test_progress_shows_one_bar(capsys):
    xai.SampledShapley(convolutional(), 0.0, 3)(images(), evaluations=20, progress=True)
    assert "/19" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"baseline": "blur"}, ValueError, "baseline 'blur' is not in this version"),
        ({"baseline": np.zeros((9, 6, 6, 2))}, ValueError, r"x\.mean\(axis=0\)"),
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


def test_several_inputs_are_refused():
    a, b = keras.Input((2,)), keras.Input((2,))
    model = keras.Model([a, b], layers.Dense(2)(layers.Add()([a, b])))
    with pytest.raises(ValueError, match="has several inputs"):
        xai.SampledShapley(model, 0.0)
