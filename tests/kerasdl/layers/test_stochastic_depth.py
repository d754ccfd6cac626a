import keras
import numpy as np
import pytest

from kerasdl.layers import Residual, StochasticDepth

X = np.random.default_rng(0).normal(size=(2000, 3, 2)).astype("float32")


def call(layer, x=X, **arguments):
    return keras.ops.convert_to_numpy(layer(x, **arguments))


def test_training_drops_whole_rows_and_scales_up_the_others():
    y = call(StochasticDepth(0.2, seed=0), training=True)
    dropped = (y == 0).all(axis=(1, 2))
    np.testing.assert_allclose(y[~dropped], X[~dropped] / 0.8, rtol=1e-6)
    assert dropped.mean() == pytest.approx(0.2, abs=0.04)  # 4.5 standard deviations


@pytest.mark.parametrize("training", [None, False])
def test_inference_is_the_identity(training):
    np.testing.assert_array_equal(call(StochasticDepth(0.9), training=training), X)


def test_a_dropped_branch_leaves_the_shortcut_alone():
    branch = keras.Sequential([keras.layers.Rescaling(1.0), StochasticDepth(0.5, seed=0)])
    y = call(Residual(branch), training=True)
    ratio = (y / X).reshape(len(X), -1)
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :1], ratio.shape), rtol=1e-5)
    np.testing.assert_allclose(np.unique(np.round(ratio, 4)), [1, 3])


def test_calls_draw_anew_and_the_same_seed_draws_the_same():
    layer, twin = StochasticDepth(0.5, seed=3), StochasticDepth(0.5, seed=3)
    first, second = (call(layer, training=True) for _ in range(2))
    assert (first != second).any()
    np.testing.assert_array_equal(call(twin, training=True), first)


def test_fit_draws_anew_in_every_step():
    dense = keras.layers.Dense(1, kernel_initializer="ones")
    model = keras.Sequential([keras.Input((1,)), StochasticDepth(0.5, seed=0), dense])
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mse")
    x = np.ones((8, 1))
    losses = model.fit(x, 0 * x, batch_size=8, epochs=5, verbose=0).history["loss"]
    assert len(set(losses)) > 1


def test_masks_pass_through():
    embedded = keras.layers.Embedding(3, 2, mask_zero=True)(np.array([[1, 0]]))
    mean_of_unmasked = keras.layers.GlobalAveragePooling1D()(StochasticDepth()(embedded))
    np.testing.assert_allclose(
        call(lambda x: x, mean_of_unmasked), call(lambda x: x, embedded)[:, 0]
    )


@pytest.mark.parametrize("rate", [-0.1, 1, float("nan"), None, "0.5"])
def test_a_rate_that_is_no_probability_below_1_is_refused(rate):
    with pytest.raises(ValueError, match=r"StochasticDepth\(rate=.*at least 0 and below 1. Use"):
        StochasticDepth(rate)
