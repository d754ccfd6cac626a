import keras
import numpy as np
import pytest

from kerasdl.backend import vjp
from kerasdl.layers import LayerScale

X = np.random.default_rng(0).normal(size=(4, 3, 2)).astype("float32")


def numpy(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def test_it_begins_as_a_multiple_of_its_input():
    np.testing.assert_allclose(numpy(LayerScale(0.25)(X)), 0.25 * X, rtol=1e-6)


@pytest.mark.parametrize(("axis", "shape"), [(-1, (1, 1, 2)), (1, (1, 3, 1)), (2, (1, 1, 2))])
def test_each_channel_has_its_own_factor(axis, shape):
    layer = LayerScale(axis=axis)
    layer.build(X.shape)
    scale = np.arange(1.0, np.prod(shape) + 1)
    layer.set_weights([scale])
    np.testing.assert_allclose(numpy(layer(X)), scale.reshape(shape) * X, rtol=1e-6)


def test_the_gradient_is_the_factor():
    _, pullback = vjp(LayerScale(0.5), X)
    np.testing.assert_allclose(numpy(pullback(keras.ops.ones(X.shape))), np.full(X.shape, 0.5))


def test_fit_trains_the_factors():
    layer = LayerScale(1.0)
    model = keras.Sequential([keras.Input((1,)), layer])
    model.compile(optimizer=keras.optimizers.SGD(0.25), loss="mse")
    model.fit(np.ones((1, 1)), np.zeros((1, 1)), verbose=0)
    np.testing.assert_allclose(layer.get_weights(), [[0.5]])  # the gradient of scale**2 is 2


def test_small_factors_do_not_lose_digits_in_float16():
    y = LayerScale(1e-7, dtype="mixed_float16")(np.full((1, 1), 6e4, "float32"))
    assert keras.backend.standardize_dtype(y.dtype) == "float16"
    np.testing.assert_allclose(numpy(y), [[6e-3]], rtol=2**-10)  # 1e-7 has one bit in float16


@pytest.mark.parametrize("initial_value", [float("nan"), float("inf"), None, "1"])
def test_an_initial_value_that_is_no_number_is_refused(initial_value):
    with pytest.raises(ValueError, match=r"LayerScale\(initial_value=.*finite number. Use 1e-5"):
        LayerScale(initial_value)


@pytest.mark.parametrize("axis", [None, 1.0, (1,), True])
def test_an_axis_that_is_no_integer_is_refused(axis):
    with pytest.raises(ValueError, match=r"LayerScale\(axis=.*must be an integer. Use -1"):
        LayerScale(axis=axis)


@pytest.mark.parametrize(
    ("axis", "shape"), [(0, (4, 3)), (-2, (4, 3)), (2, (4, 3)), (-1, (4, None))]
)
def test_an_axis_that_is_no_axis_of_channels_is_refused(axis, shape):
    with pytest.raises(ValueError, match=r"LayerScale\(axis=.*got an input of shape .*Name the"):
        LayerScale(axis=axis).build(shape)
