"""Float32 against float64, and what rules become in the limit."""

import keras
import numpy as np
import pytest
from keras import layers

import xai
from tests.reference.distance import relative

COMPOSITES = {
    "zero": xai.rules.Zero(),
    "epsilon": xai.rules.Epsilon(0.25),
    "gamma": xai.rules.Gamma(0.25),
    "zplus": xai.rules.ZPlus(),
    "alpha2_beta1": xai.rules.AlphaBeta(2.0),
    "epsilon_plus_flat": "epsilon_plus_flat",
    "epsilon_gamma_box": xai.composites.epsilon_gamma_box(-4, 4),
    "zero_epsilon_gamma": xai.composites.zero_epsilon_gamma(-4, 4),
}


@pytest.fixture(scope="module")
def folder(pytestconfig):
    return pytestconfig.rootpath / "tests/fixtures/lrp"


@pytest.fixture(scope="module")
def exact(folder):
    return dict(np.load(folder / "float64.npz"))


@pytest.mark.parametrize("composite", COMPOSITES)
@pytest.mark.parametrize("name", ["mlp", "cnn", "bn_cnn", "resnet"])
def test_every_backend_agrees_in_float32_with_float64_on_tensorflow(folder, exact, name, composite):
    if f"{name}/{composite}" not in exact:
        pytest.skip("a net without convolutions has no box")
    model = keras.saving.load_model(folder / f"{name}.keras")
    values = xai.LRP(model, COMPOSITES[composite])(np.load(folder / f"{name}.npz")["x0"]).values
    # Float32 was seen to be 7e-7 off; so backends agree to twice this.
    assert relative(values, exact[f"{name}/{composite}"]) < 5e-6


def rectified_net():
    inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(5, 3, activation="relu", bias_initializer="normal")(inputs)
    x = layers.Conv2D(4, 3, activation="relu", bias_initializer="normal")(x)
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))


def test_gamma_tends_to_z_plus_as_gamma_grows():
    keras.utils.set_random_seed(0)
    model = rectified_net()
    x = np.random.default_rng(0).uniform(size=(4, 6, 6, 2)).astype("float32")
    scores = model.predict(x, verbose=0)
    target = scores.argmax(axis=1)
    assert (scores.max(axis=1) > 0).all()  # of a negative score gamma favours what is negative
    zplus = xai.LRP(model, xai.rules.ZPlus())(x, target).values
    gammas = (1.0, 10.0, 100.0, 1e4, 1e6)
    distances = [
        relative(xai.LRP(model, xai.rules.Gamma(g))(x, target).values, zplus) for g in gammas
    ]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 1e-4  # of the order of 1 / gamma, and float32


def test_alpha_one_is_z_plus():
    model = rectified_net()
    x = np.random.default_rng(0).normal(size=(4, 6, 6, 2)).astype("float32")
    a, b = (
        xai.LRP(model, rule)(x).values for rule in (xai.rules.AlphaBeta(1.0), xai.rules.ZPlus())
    )
    np.testing.assert_array_equal(a, b)


@pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="JAX has no float64 unless it is configured to"
)
@pytest.mark.parametrize("inner", ["float32", "float64"])
@pytest.mark.parametrize("composite", COMPOSITES.values(), ids=str)
def test_a_float64_model_is_explained_in_float64(inner, composite):
    inputs = keras.Input((6, 6, 2), dtype="float64")
    x = layers.Conv2D(5, 3, activation="relu", dtype=inner)(inputs)
    x = layers.BatchNormalization(dtype="float64")(x)
    x = layers.AveragePooling2D(2, dtype="float64")(x)
    x = layers.LayerNormalization(dtype="float64")(layers.Flatten(dtype="float64")(x))
    model = keras.Model(inputs, layers.Dense(3, dtype="float64")(x))
    rows = np.random.default_rng(0).normal(size=(2, 6, 6, 2))
    attribution = xai.LRP(model, composite, strict=True)(rows, target=0)
    expected = model.predict(rows, verbose=0)[:, 0]
    np.testing.assert_allclose(attribution.score, expected, rtol=1e-5)  # parts in float32
    assert np.isfinite(attribution.values).all()
