import keras
import numpy as np
import pytest

from kerasdl.backend import vjp
from kerasdl.layers import RegionMask

X = np.random.default_rng(0).normal(3, 2, size=(4, 7, 6, 3)).astype("float32")
REGION = (1, 2, 3, 4)
INSIDE = np.zeros((7, 6), bool)
INSIDE[1:4, 2:6] = True


def covered(layer, x=X, training=False):
    return keras.ops.convert_to_numpy(layer(x, training=training))


@pytest.mark.parametrize("fill", [0, 0.5, -7.0, "mean", "noise"])
@pytest.mark.parametrize("training", [False, True])
def test_the_pixels_outside_stay_as_they_are(fill, training):
    y = covered(RegionMask(REGION, fill), training=training)
    np.testing.assert_array_equal(y[:, ~INSIDE], X[:, ~INSIDE])


@pytest.mark.parametrize("fill", [0, 0.5, "mean", "noise"])
@pytest.mark.parametrize("training", [False, True])
def test_the_output_does_not_depend_on_what_was_covered(fill, training):
    other = np.where(INSIDE[..., None], 1e3, X)
    first, second = (covered(RegionMask(REGION, fill, seed=1), x, training) for x in (X, other))
    np.testing.assert_array_equal(first, second)


def test_a_number_fills_the_box():
    assert (covered(RegionMask(REGION, 0.5))[:, INSIDE] == 0.5).all()


@pytest.mark.parametrize(("fill", "training"), [("mean", True), ("mean", False), ("noise", False)])
def test_the_mean_of_the_rest_fills_the_box(fill, training):
    y = covered(RegionMask(REGION, fill), training=training)
    expected = X[:, ~INSIDE].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(
        y[:, INSIDE], np.broadcast_to(expected, y[:, INSIDE].shape), rtol=1e-5
    )


def test_noise_has_the_mean_and_the_deviation_of_the_rest():
    x = np.random.default_rng(1).normal(3, 2, size=(2, 60, 60, 2)).astype("float32")
    box = covered(RegionMask((0, 0, 50, 50), "noise", seed=0), x, training=True)[:, :50, :50]
    rest = np.concatenate([x[:, 50:].reshape(2, -1, 2), x[:, :50, 50:].reshape(2, -1, 2)], axis=1)
    np.testing.assert_allclose(box.mean(axis=(1, 2)), rest.mean(axis=1), atol=0.2)
    np.testing.assert_allclose(box.std(axis=(1, 2)), rest.std(axis=1), rtol=0.08)


def test_noise_is_drawn_anew_in_every_call():
    layer = RegionMask(REGION, "noise", seed=0)
    first, second = (covered(layer, training=True) for _ in range(2))
    assert (first[:, INSIDE] != second[:, INSIDE]).all()


@pytest.mark.parametrize("fill", [0.5, "mean"])
def test_channels_may_come_first(fill):
    first = np.moveaxis(X, -1, 1)
    y = covered(RegionMask(REGION, fill, data_format="channels_first"), first)
    np.testing.assert_allclose(np.moveaxis(y, 1, -1), covered(RegionMask(REGION, fill)), rtol=1e-6)


@pytest.mark.parametrize("fill", [0.5, "mean", "noise"])
def test_no_gradient_reaches_what_was_covered(fill):
    layer = RegionMask(REGION, fill)
    y, pullback = vjp(lambda x: layer(x, training=True), X)
    gradient = keras.ops.convert_to_numpy(pullback(keras.ops.ones_like(y)))
    share = 0 if fill == 0.5 else INSIDE.sum() / (~INSIDE).sum()
    assert (gradient[:, INSIDE] == 0).all()
    np.testing.assert_allclose(gradient[:, ~INSIDE], 1 + share, rtol=1e-5)


@pytest.mark.parametrize("fill", ["mean", "noise"])
def test_a_box_over_the_whole_image_becomes_0(fill):
    y, pullback = vjp(lambda x: RegionMask((0, 0, 7, 6), fill)(x, training=True), X)
    assert (keras.ops.convert_to_numpy(y) == 0).all()
    assert np.isfinite(keras.ops.convert_to_numpy(pullback(keras.ops.ones_like(y)))).all()


def test_height_and_width_may_be_unknown():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, RegionMask(REGION)(inputs))
    assert tuple(model.output.shape) == (None, None, None, 3)
    np.testing.assert_array_equal(model.predict(X, verbose=0), covered(RegionMask(REGION)))


def test_large_images_do_not_overflow_in_float16():
    x = np.full((1, 200, 200, 1), 100.0)  # their sum is 4e6
    y = RegionMask((0, 0, 1, 1), "mean", dtype="float16")(x)
    assert float(y[0, 0, 0, 0]) == 100


@pytest.mark.parametrize(
    "region", [None, (1, 2, 3), (0, 0, 0, 1), (-1, 0, 1, 1), (0, 0, 1.5, 1), "abcd"]
)
def test_a_region_that_is_no_box_is_refused(region):
    with pytest.raises(ValueError, match=r"RegionMask\(region=.*Use \(0, 0, 8, 8\)"):
        RegionMask(region)


@pytest.mark.parametrize("fill", ["zero", None, float("nan")])
def test_an_unknown_fill_is_refused(fill):
    with pytest.raises(ValueError, match=r'RegionMask\(fill=.*Or use "mean" or "noise"'):
        RegionMask(REGION, fill)


def test_an_unknown_data_format_is_refused():
    with pytest.raises(ValueError, match=r"data_format='last'\).*one of 'channels_last'"):
        RegionMask(REGION, data_format="last")


@pytest.mark.parametrize("shape", [(4, 3, 6, 3), (4, 7, 5, 3), (4, 7, 6)])
def test_an_image_that_cannot_hold_the_box_is_refused(shape):
    with pytest.raises(ValueError, match=r"images of at least 4 x 6 pixels. Move the box"):
        RegionMask(REGION, data_format="channels_last").build(shape)
