import keras
import numpy as np
import pytest

from kerasdl.layers import SinusoidalPositions
from tests.reference import layers


def added(layer, *shape):
    return keras.ops.convert_to_numpy(keras.ops.cast(layer(np.zeros(shape)), "float32"))


@pytest.mark.parametrize("features", [1, 2, 5, 8])
@pytest.mark.parametrize("max_wavelength", [1.0, 100.0, 10000.0])
def test_values_equal_the_formula(features, max_wavelength):
    found = added(SinusoidalPositions(max_wavelength), 2, 30, features)
    expected = layers.sinusoidal_positions(30, features, max_wavelength)
    np.testing.assert_allclose(found, np.stack([expected, expected]), atol=1e-5)


def test_a_shift_turns_each_pair_of_columns_by_the_same_angle():
    table = added(SinusoidalPositions(), 1, 20, 6)[0]
    pairs = table[:, 1::2] + 1j * table[:, ::2]  # cos + i sin
    steps = pairs[1:] / pairs[:-1]
    np.testing.assert_allclose(steps, np.broadcast_to(steps[:1], steps.shape), atol=1e-5)


def test_the_positions_are_added_to_the_inputs_of_any_rank():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype("float32")
    found = keras.ops.convert_to_numpy(SinusoidalPositions()(x))
    np.testing.assert_allclose(
        found - x, np.broadcast_to(layers.sinusoidal_positions(4, 5), x.shape), atol=1e-6
    )


def test_far_positions_keep_their_angle_in_float16():
    found = added(SinusoidalPositions(dtype="float16"), 1, 3001, 4)[0]
    np.testing.assert_allclose(found, layers.sinusoidal_positions(3001, 4), atol=1e-3)


def test_the_time_may_be_unknown_and_change():
    inputs = keras.Input((None, 4))
    model = keras.Model(inputs, SinusoidalPositions()(inputs))
    assert tuple(model.output.shape) == (None, None, 4)
    for time in (3, 6):
        found = keras.ops.convert_to_numpy(model(np.zeros((1, time, 4))))
        np.testing.assert_allclose(found[0], layers.sinusoidal_positions(time, 4), atol=1e-6)


def test_masks_pass_through():
    embedded = keras.layers.Embedding(3, 2, mask_zero=True)(np.array([[1, 0]]))
    positioned = SinusoidalPositions()(embedded)
    mean_of_unmasked = keras.layers.GlobalAveragePooling1D()(positioned)
    found, expected = map(keras.ops.convert_to_numpy, (mean_of_unmasked, positioned[:, 0]))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("max_wavelength", [0.5, -1, float("nan"), float("inf"), None, "1"])
def test_a_wavelength_below_1_is_refused(max_wavelength):
    with pytest.raises(ValueError, match=r"SinusoidalPositions\(max_wavelength=.*Use 10000"):
        SinusoidalPositions(max_wavelength)


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, None)])
def test_what_is_no_sequence_of_vectors_is_refused(shape):
    with pytest.raises(ValueError, match=r"needs \(batch, ..., time, features\).*Embed tokens"):
        SinusoidalPositions().build(shape)
