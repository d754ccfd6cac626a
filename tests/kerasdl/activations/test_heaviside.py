import keras
import numpy as np
import pytest

import kerasdl
from kerasdl.activations import heaviside
from kerasdl.backend import vjp

X = np.array([[-np.inf, -1e30, -1.5, -1.0, -1e-30, 0.0, 1e-3, 1.0, 1.5, np.inf]], "float32")
STEPS = [[0, 0, 0, 0, 0, 1, 1, 1, 1, 1]]
SLOPES = [[0, 0, 0, 1, 1, 1, 1, 1, 0, 0]]


def apply(x):
    return keras.ops.convert_to_numpy(heaviside(x))


def test_values_are_those_of_the_step_function_with_1_at_0():
    np.testing.assert_array_equal(apply(X), STEPS)
    finite = X[:, 1:-1]
    np.testing.assert_array_equal(apply(finite), np.heaviside(finite, 1))


def test_the_gradient_passes_where_x_is_at_most_1_in_size():
    _, pullback = vjp(heaviside, X)
    found = keras.ops.convert_to_numpy(pullback(keras.ops.convert_to_tensor(3 * np.ones_like(X))))
    np.testing.assert_array_equal(found, 3 * np.array(SLOPES))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_the_dtype_is_kept(dtype):
    x = keras.ops.cast([-1.0, 0.0, 2.0], dtype)
    assert keras.backend.standardize_dtype(heaviside(x).dtype) == dtype


@pytest.mark.parametrize("x", [[-1, 0, 2], np.array([-1, 0, 2])])
def test_integers_and_lists_become_floats(x):
    np.testing.assert_array_equal(apply(x), [0, 1, 1])
    assert apply(x).dtype == "float32"


def test_a_unit_learns_through_it():
    x = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    y = (x @ [1.0, -1.0] > 0).astype("float32")[:, None]
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "kerasdl>heaviside")])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(x, y, batch_size=16, epochs=20, verbose=0)
    assert np.mean(model.predict(x, verbose=0) == y) > 0.9


def test_a_saved_model_keeps_it(tmp_path):
    dense = keras.layers.Dense(2, activation="kerasdl>heaviside")
    keras.Sequential([keras.Input((3,)), dense]).save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    assert reloaded.layers[-1].activation is heaviside


def test_the_registry_gives_the_function():
    assert kerasdl.get("activation", "kerasdl>heaviside") is heaviside
