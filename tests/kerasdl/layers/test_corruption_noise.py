import keras
import numpy as np
import pytest

from kerasdl.layers import CorruptionNoise

X = np.random.default_rng(0).normal(5, 1, size=(200, 100)).astype("float32")
KINDS = ["gaussian", "mask", "salt_and_pepper"]


def spoilt(layer, x=X, training=True):
    return keras.ops.convert_to_numpy(layer(x, training=training))


@pytest.mark.parametrize("stddev", [0.1, 3.0, 50.0])
def test_gaussian_noise_has_the_standard_deviation_asked_for(stddev):
    noise = spoilt(CorruptionNoise("gaussian", stddev, seed=0)) - X
    assert noise.std() == pytest.approx(stddev, rel=0.03)  # 6 standard deviations
    assert abs(noise.mean()) < 0.05 * stddev


@pytest.mark.parametrize("amount", [0.1, 0.5, 1.0])
def test_a_mask_sets_its_share_to_0_and_scales_nothing(amount):
    y = spoilt(CorruptionNoise("mask", amount, seed=0))
    assert np.mean(y == 0) == pytest.approx(amount, abs=0.02)
    np.testing.assert_array_equal(y[y != 0], X[y != 0])


def test_salt_and_pepper_share_their_part_evenly():
    y = spoilt(CorruptionNoise("salt_and_pepper", 0.4, low=-9.0, high=99.0, seed=0))
    assert np.mean(y == -9) == pytest.approx(0.2, abs=0.02)
    assert np.mean(y == 99) == pytest.approx(0.2, abs=0.02)
    untouched = (y != -9) & (y != 99)
    np.testing.assert_array_equal(y[untouched], X[untouched])


@pytest.mark.parametrize("kind", KINDS)
def test_inference_is_the_identity(kind):
    np.testing.assert_array_equal(spoilt(CorruptionNoise(kind, 0.5), training=False), X)


@pytest.mark.parametrize("kind", KINDS)
def test_calls_draw_anew_and_the_same_seed_draws_the_same(kind):
    layer, twin = CorruptionNoise(kind, 0.5, seed=3), CorruptionNoise(kind, 0.5, seed=3)
    first, second = spoilt(layer), spoilt(layer)
    assert (first != second).any()
    np.testing.assert_array_equal(spoilt(twin), first)


@pytest.mark.parametrize("kind", KINDS)
def test_whole_numbers_become_floats(kind):
    y = CorruptionNoise(kind, 0.5)(np.arange(6).reshape(2, 3), training=True)
    assert keras.backend.standardize_dtype(y.dtype) == "float32"


@pytest.mark.parametrize("kind", ["salt", None, 1])
def test_an_unknown_kind_is_refused(kind):
    with pytest.raises(ValueError, match=r"CorruptionNoise\(kind=.*one of 'gaussian', 'mask'"):
        CorruptionNoise(kind)


@pytest.mark.parametrize("amount", [-0.1, float("nan"), float("inf"), None, "1"])
def test_an_amount_that_is_negative_or_no_number_is_refused(amount):
    with pytest.raises(ValueError, match=r"CorruptionNoise\(amount=.*at least 0"):
        CorruptionNoise("gaussian", amount)


@pytest.mark.parametrize("kind", ["mask", "salt_and_pepper"])
def test_a_probability_above_1_is_refused(kind):
    with pytest.raises(ValueError, match=r"amount=1.5\): amount is a probability here"):
        CorruptionNoise(kind, 1.5)


@pytest.mark.parametrize("argument", ["low", "high"])
def test_a_value_that_is_no_number_is_refused(argument):
    with pytest.raises(ValueError, match=rf"CorruptionNoise\({argument}=None.*Give the"):
        CorruptionNoise(**{argument: None})
