"""Baselines: arrays by their rank, background rows, blur, tokens, and shap's maskers."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers

import xai
from xai.shapley.baselines import resolve
from xai.shapley.permutation import draws

with warnings.catch_warnings():  # shap 0.51 colours its maps in a way that matplotlib will drop
    warnings.simplefilter("ignore", PendingDeprecationWarning)
    shap = pytest.importorskip("shap")


def random(*shape, seed=0):
    return np.random.default_rng(seed).uniform(size=shape).astype("float32")


def net(*shape):
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Flatten(),
            layers.Dense(6, activation="tanh"),
            layers.Dense(2, bias_initializer="normal"),
        ]
    )


def explained(model, baseline, x, evaluations=400, **settings):
    shapley = xai.SampledShapley(model, baseline, **settings)
    return shapley(x, target=0, evaluations=evaluations, method="permutation")


@pytest.mark.parametrize(
    ("baseline", "shape"),
    [
        (0.5, (1, 1, 4, 4, 3)),
        (random(4, 4, 3), (1, 1, 4, 4, 3)),
        (random(1, 4, 4, 3), (1, 1, 4, 4, 3)),
        (random(2, 4, 4, 3), (2, 1, 4, 4, 3)),  # as many as inputs, and still background rows
        ("blur", (1, 2, 4, 4, 3)),
        (lambda inputs: inputs.mean(axis=(1, 2), keepdims=True) + 0 * inputs, (1, 2, 4, 4, 3)),
    ],
)
def test_the_rank_of_an_array_decides_what_it_is(baseline, shape):
    assert resolve(baseline, random(2, 4, 4, 3)).shape == shape


def test_background_rows_are_averaged_over_and_counted():
    model, x, background = net(5), random(3, 5), random(4, 5, seed=1)
    orders = 6  # of 5 players, at 4 coalitions each
    together = explained(model, background, x, evaluations=1 + 4 * (1 + 4 * orders))
    alone = [explained(model, row, x, evaluations=2 + 4 * orders) for row in background]
    np.testing.assert_allclose(together.values, np.mean([a.values for a in alone], 0), atol=1e-5)
    np.testing.assert_allclose(
        together.base_score, np.mean([a.base_score for a in alone], 0), rtol=1e-5
    )
    assert together.evaluations == 1 + 4 * (1 + 4 * orders)


def test_a_budget_too_small_says_what_a_coalition_costs():
    shapley = xai.SampledShapley(net(5), random(50, 5))
    with pytest.raises(ValueError, match="evaluations") as raised:
        shapley(random(1, 5), evaluations=100, method="kernel")
    assert "each coalition but the full one takes 50" in raised.value.__notes__[0]


@pytest.mark.parametrize("method", ["permutation", "antithetic", "auto"])
def test_a_budget_too_small_for_every_background_row_draws_one_for_each_permutation(method):
    model, x, background = net(5), random(3, 5), random(8, 5, seed=1)
    shapley = xai.SampledShapley(model, background, batch_size=16)
    evaluations = 1 + 6 * (5 if method == "permutation" else 9)  # of six samples
    found = shapley(x, 0, evaluations, method)
    assert found.evaluations == evaluations
    np.testing.assert_allclose(found.residual, 0, atol=1e-12)
    scores = model.predict(background, verbose=0)[:, 0]
    drawn = draws(8, 6, seed=0)
    np.testing.assert_allclose(found.base_score, np.full(3, scores[drawn].mean()), rtol=1e-5)
    truth = shapley(x, 0, 8 * 32, "exact").values
    assert np.all(np.abs(found.values - truth) < 5 * found.standard_error)


def test_a_linear_model_is_exact_once_every_background_row_was_drawn():
    model = keras.Sequential([keras.Input((5,)), layers.Dense(1, kernel_initializer="normal")])
    x, background = random(2, 5), random(8, 5, seed=1)
    shapley = xai.SampledShapley(model, background)
    expected = (x - background.mean(axis=0)) * model.get_weights()[0][:, 0]
    found = shapley(x, 0, 1 + 8 * 9)
    np.testing.assert_allclose(found.values, expected, atol=1e-6)


def test_images_and_several_inputs_draw_their_background_rows_together():
    image, table = keras.Input((4, 4, 3), name="image"), keras.Input((3,), name="table")
    joined = layers.Concatenate()([layers.Flatten()(image), table])
    model = keras.Model({"image": image, "table": table}, layers.Dense(2)(joined))
    x, rows = ({"image": random(n, 4, 4, 3), "table": random(n, 3)} for n in (2, 6))
    shapley = xai.SampledShapley(model, rows, {"image": 2, "table": None})
    found = shapley(x, 1, 1 + 6 * (2 * 7 - 1))
    assert found.evaluations == 1 + 6 * 13
    base = model.predict(rows, verbose=0)[:, 1].mean()
    np.testing.assert_allclose(found.base_score, base, rtol=1e-5)
    np.testing.assert_allclose(found.residual, 0, atol=1e-12)


def test_a_blur_is_each_row_s_own_and_leaves_channels_apart():
    x = random(2, 16, 16, 3)
    x[..., 2] = 0.25
    blurred = resolve("blur", x)[0]
    assert blurred.std(axis=(1, 2))[:, :2].max() < 0.3 * x.std(axis=(1, 2))[:, :2].min()
    np.testing.assert_allclose(blurred.mean(axis=(1, 2)), x.mean(axis=(1, 2)), atol=0.1)
    np.testing.assert_allclose(blurred[..., 2], 0.25, rtol=1e-6)
    model = net(16, 16, 3)
    one, other = (explained(model, b, x, players=8).values[1] for b in ("blur", blurred[1]))
    np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(
    ("baseline", "inputs", "message"),
    [
        (0.5, np.zeros((2, 4), "int32"), "int32 inputs cannot take, such as 0.5; .* padding token"),
        ("blur", np.zeros((2, 4), "float32"), "spatial axes and channels; received float32"),
        ("blur", np.zeros((2, 4, 4, 1), "int32"), "floating-point inputs"),
        (lambda inputs: inputs + np.inf, random(2, 4), "NaN or infinite"),
    ],
)
def test_baselines_that_inputs_cannot_take_are_refused(baseline, inputs, message):
    with pytest.raises(ValueError, match=message):
        resolve(baseline, inputs)


@pytest.mark.parametrize("kind", ["Independent", "Partition"])
def test_shap_s_tabular_maskers_are_background_rows(kind):
    model, x, background = net(5), random(2, 5), random(4, 5, seed=1)
    masker = getattr(shap.maskers, kind)(background)
    expected = explained(model, background, x)
    np.testing.assert_allclose(explained(model, masker, x).values, expected.values, atol=1e-6)


@pytest.mark.parametrize("value", [0.3, random(4, 4, 3, seed=1)])
def test_shap_s_image_masker_is_an_array(value):
    model, x = net(4, 4, 3), random(2, 4, 4, 3)
    masker = shap.maskers.Image(value, shape=(4, 4, 3))
    expected = explained(model, value, x, players=2)
    values = explained(model, masker, x, players=2).values
    np.testing.assert_allclose(values, expected.values, atol=1e-6)


def test_shap_s_blurring_masker_is_a_box_mirrored_at_the_borders(monkeypatch):
    monkeypatch.setattr("shap.maskers._image.assert_import", lambda name: None)  # OpenCV
    masker, x = shap.maskers.Image("blur(2,3)", shape=(5, 4, 1)), random(2, 5, 4, 1)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 0), (0, 0)), mode="reflect")
    windows = [padded[:, i : i + 5, j : j + 4] for i in range(3) for j in range(2)]
    np.testing.assert_allclose(resolve(masker, x)[0], np.mean(windows, axis=0), atol=1e-6)


def test_other_maskers_are_called_by_their_protocol():
    class Swapping(shap.maskers.Masker):
        """Replaces absent elements by those present, which no fixed baseline can."""

        shape = (2, 5)

        def __call__(self, mask, row):
            fill = row[mask].mean() if mask.any() else 0.0
            return (np.stack([np.where(mask, row, fill), np.where(mask, row, -fill)]),)

    model, x = net(5), random(2, 5)
    attribution = explained(model, Swapping(), x)
    assert attribution.evaluations % 2 == 1
    np.testing.assert_allclose(attribution.residual, 0, atol=1e-12)
    explainer = shap.explainers.Exact(lambda rows: model.predict(rows, verbose=0)[:, 0], Swapping())
    exact = explainer(x).values
    mine = explained(model, Swapping(), x, evaluations=20_001)
    np.testing.assert_allclose(mine.values, exact, atol=5 * mine.standard_error.max() + 1e-6)


def test_a_masker_s_mask_is_of_elements_or_of_players():
    class Halves:
        shape = (1, 2)

        def __call__(self, mask, row):
            return np.where(mask[[0, 0, 0, 1, 1]], row, 0)[np.newaxis]

    model, x, halves = net(5), random(1, 5), np.array([0, 0, 0, 1, 1])
    by_masker = explained(model, Halves(), x, players=halves)
    expected = explained(model, 0.0, x, players=halves)
    np.testing.assert_allclose(by_masker.values, expected.values, atol=1e-6)
    with pytest.raises(
        ValueError, match=r"Halves takes masks of 2 entries; expected .* 5 elements"
    ):
        explained(model, Halves(), x)
