import keras
import numpy as np
import pytest

import kerasdl
from kerasdl.activations import lecun_tanh
from kerasdl.backend import vjp
from tests.reference import components

X = np.array([[-30.0, -2.0, -1.0, -0.3, 0.0, 1e-3, 0.5, 1.0, 4.0]], "float32")


def apply(x):
    return keras.ops.convert_to_numpy(lecun_tanh(x))


def slope(x):
    _, pullback = vjp(lecun_tanh, x)
    return keras.ops.convert_to_numpy(pullback(keras.ops.ones_like(x)))


def test_it_passes_through_1_and_minus_1():
    # The paper rounds the constant: 1.7159 tanh(2/3) = 0.999997.
    np.testing.assert_allclose(apply(np.array([1.0, -1.0], "float32")), [1, -1], atol=3e-6)


def test_it_is_odd_and_bounded():
    np.testing.assert_array_equal(apply(-X), -apply(X))
    assert np.abs(apply(1e6 * X)).max() <= np.float32(1.7159)


def test_its_curvature_is_largest_at_0_988():
    x = np.linspace(0, 4, 401, dtype="float32")
    curvature = np.abs(np.gradient(slope(x), x))
    assert x[curvature.argmax()] == pytest.approx(0.988, abs=0.03)  # differences of float32 slopes


def test_values_equal_the_formula():
    np.testing.assert_allclose(apply(X), components.lecun_tanh(X), rtol=1e-6, atol=1e-7)


def test_gradients_equal_finite_differences():
    expected = components.finite_differences(lambda x: components.lecun_tanh(x).sum(), X)
    np.testing.assert_allclose(slope(X), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_the_dtype_is_kept(dtype):
    x = keras.ops.cast(X, dtype)
    assert keras.backend.standardize_dtype(lecun_tanh(x).dtype) == dtype


def test_integers_and_lists_are_taken():
    np.testing.assert_allclose(apply([0, 1]), components.lecun_tanh([0, 1]), rtol=1e-6)


def test_dense_takes_its_name_and_a_saved_model_keeps_it(tmp_path):
    dense = keras.layers.Dense(2, activation="kerasdl>lecun_tanh")
    model = keras.Sequential([keras.Input((9,)), dense])
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    assert reloaded.layers[-1].activation is lecun_tanh
    np.testing.assert_array_equal(reloaded.predict(X, verbose=0), model.predict(X, verbose=0))


def test_the_registry_gives_the_function():
    assert kerasdl.get("activation", "kerasdl>lecun_tanh") is lecun_tanh
