import keras
import numpy as np
import pytest

from kerasdl.layers import MCDropout

ONES = np.ones((200, 50), "float32")


def dropped(layer, x=ONES, **arguments):
    return keras.ops.convert_to_numpy(layer(x, **arguments))


@pytest.mark.parametrize("training", [None, False, True])
def test_elements_are_dropped_whatever_training_says(training):
    y = dropped(MCDropout(0.25, seed=1), training=training)
    np.testing.assert_allclose(np.unique(y), [0, 4 / 3], rtol=1e-6)
    assert np.mean(y == 0) == pytest.approx(0.25, abs=0.02)  # 4.6 standard deviations


def test_calls_draw_anew_and_the_same_seed_draws_the_same():
    layer, twin = MCDropout(0.5, seed=3), MCDropout(0.5, seed=3)
    first, second = dropped(layer), dropped(layer)
    assert (first != second).any()
    np.testing.assert_array_equal(dropped(twin), first)
    np.testing.assert_array_equal(dropped(twin), second)


def test_predictions_differ_from_call_to_call():
    model = keras.Sequential([keras.Input((50,)), MCDropout(0.5, seed=0)])
    first, second = (model.predict(ONES, verbose=0) for _ in range(2))
    assert (first != second).any()


def test_a_noise_shape_drops_whole_columns():
    y = dropped(MCDropout(0.5, noise_shape=(1, None), seed=0))
    assert (y == y[0]).all()
    assert len(np.unique(y)) == 2


def test_a_rate_of_0_is_the_identity():
    np.testing.assert_array_equal(dropped(MCDropout(0)), ONES)


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, float("nan"), None, "0.5"])
def test_a_rate_that_is_no_probability_below_1_is_refused(rate):
    with pytest.raises(ValueError, match=r"MCDropout\(rate=.*at least 0 and below 1. Use 0.5"):
        MCDropout(rate)
