import keras
import numpy as np
import pytest

from kerasdl.backend import jit, vjp
from kerasdl.layers import GradientReversal

DTYPES = ["float16", "bfloat16", "float32"]
VALUES = [0.0, -0.0, 1.1, -3.3e-5, 2.7e3, 6e4, -6e4, np.inf, -np.inf, np.nan]
FACTORS = [0.0, 0.125, 1.0, 3.75]  # exact in every dtype: torch would keep more digits of 0.1


def numpy(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def assert_same_bits(found, expected):
    np.testing.assert_array_equal(numpy(found).view("int32"), numpy(expected).view("int32"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("run", [lambda layer: layer, jit], ids=["eager", "compiled"])
def test_the_output_is_the_input_bit_for_bit(dtype, factor, run):
    x = keras.ops.convert_to_tensor(np.array(VALUES), dtype=dtype)
    y = run(GradientReversal(factor, dtype=dtype))(x)
    assert keras.backend.standardize_dtype(y.dtype) == dtype
    assert_same_bits(y, x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("factor", FACTORS)
def test_the_gradient_is_multiplied_by_minus_the_factor_and_rounded_once(dtype, factor):
    x = keras.ops.convert_to_tensor(np.array(VALUES[:7]), dtype=dtype)
    cotangent = keras.ops.convert_to_tensor(np.linspace(-3, 5, 7), dtype=dtype)
    _, pullback = vjp(GradientReversal(factor, dtype=dtype), x)
    np.testing.assert_array_equal(numpy(pullback(cotangent)), numpy(-factor * cotangent))


def test_elements_that_are_not_finite_get_the_gradient_0():
    _, pullback = vjp(GradientReversal(2.0), np.array(VALUES[6:], "float32"))
    gradient = pullback(keras.ops.ones(4))
    np.testing.assert_array_equal(numpy(gradient), [-2, 0, 0, 0])


def test_two_reversals_multiply_the_gradient_by_both_factors():
    def twice(x):
        return GradientReversal(4.0)(GradientReversal(0.5)(x))

    _, pullback = vjp(twice, np.ones((2, 3), "float32"))
    cotangent = np.arange(6.0, dtype="float32").reshape(2, 3)
    gradient = pullback(keras.ops.convert_to_tensor(cotangent))
    np.testing.assert_array_equal(numpy(gradient), 2 * cotangent)


def test_fit_moves_the_layers_before_it_uphill_and_those_after_it_downhill():
    def step(*layers):
        model = keras.Sequential([keras.Input((1,)), *layers])
        model.compile(optimizer=keras.optimizers.SGD(0.25), loss="mse")
        model.fit(np.ones((1, 1)), np.zeros((1, 1)), verbose=0)
        return [weight.item() for weight in model.get_weights()]

    def dense():
        return keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")

    # The gradient of (a b)**2 at a = b = 1 is 2 for both.
    assert step(dense(), dense()) == [0.5, 0.5]
    assert step(dense(), GradientReversal(), dense()) == [1.5, 0.5]


def test_mixed_precision_computes_in_float16():
    layer = GradientReversal(dtype="mixed_float16")
    y = layer(np.array([[70.0, 0.1]], "float32"))
    assert keras.backend.standardize_dtype(y.dtype) == "float16"
    np.testing.assert_array_equal(numpy(y), np.array([[70.0, 0.1]], "float16"))


def test_symbolic_shapes_keep_what_is_unknown():
    y = GradientReversal()(keras.Input((None, 4)))
    assert tuple(y.shape) == (None, None, 4)


def test_masks_pass_through():
    embedded = keras.layers.Embedding(3, 2, mask_zero=True)(np.array([[1, 0]]))
    mean_of_unmasked = keras.layers.GlobalAveragePooling1D()(GradientReversal()(embedded))
    np.testing.assert_array_equal(numpy(mean_of_unmasked), numpy(embedded)[:, 0])


def test_a_saved_model_keeps_every_argument(tmp_path):
    layer = GradientReversal(0.3, name="turn", dtype="mixed_bfloat16", trainable=False)
    model = keras.Sequential([keras.Input((2,)), layer])
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras").layers[-1]
    assert type(reloaded) is GradientReversal
    assert reloaded.get_config() == layer.get_config()
    assert reloaded.factor == 0.3


@pytest.mark.parametrize("factor", [-1.0, float("nan"), float("inf"), None, "1"])
def test_a_factor_that_is_negative_or_not_finite_is_refused(factor):
    with pytest.raises(ValueError, match=r"factor=.*at least 0. The layer reverses the sign"):
        GradientReversal(factor)
