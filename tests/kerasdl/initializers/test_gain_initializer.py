import math

import keras
import numpy as np
import pytest

from kerasdl.initializers import GainInitializer
from tests.reference import components

GAINS = {
    "linear": 1,
    "sigmoid": 1,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 1,
    "kerasdl>lecun_tanh": 1,
}
SHAPE = (400, 250)  # 100,000 draws: the sample's standard deviation is off by 0.22 % (one sigma)


def draw(initializer, shape=SHAPE, dtype=None):
    return keras.ops.convert_to_numpy(initializer(shape, dtype))


@pytest.mark.parametrize(("activation", "gain"), GAINS.items())
def test_the_standard_deviation_is_the_gain_over_the_root_of_the_fan(activation, gain):
    weights = draw(GainInitializer(activation, seed=0))
    assert weights.std() == pytest.approx(gain / math.sqrt(400), rel=0.01)
    assert abs(weights.mean()) < 5 * weights.std() / math.sqrt(weights.size)


@pytest.mark.parametrize("slope", [0.0, 0.01, 0.2, 0.3, 1.0])
def test_leaky_relu_keeps_the_variance_at_any_slope(slope):
    gain = components.unit_variance_gain(lambda z: np.where(z > 0, z, slope * z))
    initializer = GainInitializer("leaky_relu", negative_slope=slope)
    assert initializer.gain == pytest.approx(gain, rel=1e-6)


def test_leaky_relu_of_slope_0_is_relu_and_of_slope_1_linear():
    assert GainInitializer("leaky_relu", negative_slope=0).gain == GainInitializer("relu").gain
    assert GainInitializer("leaky_relu", negative_slope=1).gain == GainInitializer("linear").gain


def test_the_default_slope_is_that_of_the_activation_in_keras():
    below_0 = keras.ops.convert_to_numpy(keras.activations.leaky_relu(np.array([-1.0], "float32")))
    assert GainInitializer("leaky_relu").negative_slope == pytest.approx(-below_0[0])


def test_the_signal_survives_10_relu_layers():
    signal = np.random.default_rng(0).normal(size=(64, 128))
    for seed in range(10):
        signal = np.maximum(signal @ draw(GainInitializer("relu", seed=seed), (128, 128)), 0)
    # The factor is 1 on average; a variance of 1 / fan_in in place of 2 / fan_in would leave 0.03.
    assert 0.5 < math.sqrt(np.mean(signal**2)) < 2


@pytest.mark.parametrize(("mode", "fan"), [("fan_in", 400), ("fan_out", 250), ("fan_avg", 325)])
@pytest.mark.parametrize("distribution", ["truncated_normal", "untruncated_normal", "uniform"])
def test_the_variance_depends_on_the_mode_and_not_on_the_distribution(mode, fan, distribution):
    weights = draw(GainInitializer("tanh", mode, distribution, seed=1))
    assert weights.std() == pytest.approx(5 / 3 / math.sqrt(fan), rel=0.01)


def test_a_convolution_kernel_counts_its_window():
    weights = draw(GainInitializer("relu", seed=2), (3, 3, 40, 250))
    assert weights.std() == pytest.approx(math.sqrt(2 / (3 * 3 * 40)), rel=0.01)


def test_the_projection_of_an_attention_layer_counts_its_inputs_alone():
    # The kernel (inputs, heads, size) would pass for that of a convolution over a window of 400.
    projection = keras.layers.EinsumDense(
        "abc,cde->abde", (None, 10, 25), kernel_initializer=GainInitializer("relu", seed=3)
    )
    projection.build((None, 7, 400))
    kernel = keras.ops.convert_to_numpy(projection.kernel)
    assert kernel.shape == (400, 10, 25)
    assert kernel.std() == pytest.approx(math.sqrt(2 / 400), rel=0.01)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_the_dtype_is_as_asked_for(dtype):
    weights = GainInitializer()((4, 3), dtype)
    assert keras.backend.standardize_dtype(weights.dtype) == dtype
    assert tuple(weights.shape) == (4, 3)


def test_equal_seeds_give_equal_weights_and_others_do_not():
    np.testing.assert_array_equal(draw(GainInitializer(seed=4)), draw(GainInitializer(seed=4)))
    assert not np.array_equal(draw(GainInitializer(seed=4)), draw(GainInitializer(seed=5)))


def test_dense_takes_its_name():
    dense = keras.layers.Dense(4, kernel_initializer="kerasdl>GainInitializer")
    assert type(dense.kernel_initializer) is GainInitializer


def test_a_saved_model_keeps_every_argument(tmp_path):
    initializer = GainInitializer(
        "leaky_relu",
        "fan_out",
        "uniform",
        seed=6,
        negative_slope=0.3,
        input_axes=[0],
        output_axes=[1],
    )
    dense = keras.layers.Dense(2, kernel_initializer=initializer)
    keras.Sequential([keras.Input((3,)), dense]).save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras").layers[0].kernel_initializer
    assert reloaded.get_config() == initializer.get_config()
    assert initializer.get_config() == {
        "activation": "leaky_relu",
        "mode": "fan_out",
        "distribution": "uniform",
        "seed": 6,
        "negative_slope": 0.3,
        "input_axes": [0],
        "output_axes": [1],
    }
    np.testing.assert_array_equal(draw(reloaded, (5, 5)), draw(initializer, (5, 5)))


def test_an_unknown_activation_gets_the_table():
    with pytest.raises(ValueError, match=r"activation='gelu'.*'relu' \(1.414\).*VarianceScaling"):
        GainInitializer("gelu")


@pytest.mark.parametrize("slope", [float("nan"), float("inf"), None, "0.2"])
def test_a_slope_that_is_not_finite_is_refused(slope):
    with pytest.raises(ValueError, match=r"negative_slope=.*must be a finite number"):
        GainInitializer("leaky_relu", negative_slope=slope)


@pytest.mark.parametrize("argument", ["mode", "distribution"])
def test_a_mode_or_distribution_that_keras_does_not_know_is_refused(argument):
    with pytest.raises(ValueError, match=f"Invalid `{argument}` argument: fan"):
        GainInitializer(**{argument: "fan"})
