import keras
import numpy as np
import pytest

from kerasdl.backend import vjp
from kerasdl.losses import LogCosh
from tests.reference import components

ERRORS = np.array([[-7.0, -0.3, 1e-3], [0.02, 0.9, 15.0], [30.0, -250.0, 2.0]], "float32")
BETAS = [0.1, 1.0, 2.5, 10.0]


def losses(error, beta=1.0, dtype=None):
    error = np.asarray(error)
    loss = LogCosh(beta, reduction=None, dtype=dtype)
    return keras.ops.convert_to_numpy(loss(np.zeros_like(error), error))


def gradient(error, beta):
    loss = LogCosh(beta, reduction="sum")
    value, pullback = vjp(lambda y: loss(np.zeros_like(error), y), error)
    return keras.ops.convert_to_numpy(pullback(keras.ops.ones_like(value)))


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("error", [1e-6, -1e-5, 1e-4])
def test_near_0_it_is_half_beta_times_the_square(beta, error):
    # The next term is smaller by (beta * error)**2 / 6 < 2e-7.
    assert losses([[error]], beta)[0] == pytest.approx(beta / 2 * error**2, rel=1e-6, abs=0)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("error", [100.0, -1e4, 1e30])
def test_far_out_it_is_the_distance_less_log_2_over_beta(beta, error):
    assert losses([[error]], beta)[0] == pytest.approx(abs(error) - np.log(2) / beta, rel=1e-6)


@pytest.mark.parametrize("beta", BETAS)
def test_it_is_even_and_0_only_without_error(beta):
    np.testing.assert_array_equal(losses(-ERRORS, beta), losses(ERRORS, beta))
    assert losses([[0.0]], beta)[0] == 0
    assert losses(ERRORS, beta).min() > 0


def test_at_beta_1_it_is_the_loss_of_keras():
    expected = keras.losses.LogCosh(reduction=None)(np.zeros_like(ERRORS), ERRORS)
    expected = keras.ops.convert_to_numpy(expected)
    np.testing.assert_allclose(losses(ERRORS), expected, rtol=1e-5)


@pytest.mark.parametrize("beta", BETAS)
def test_values_equal_the_formula(beta):
    expected = components.log_cosh(np.zeros_like(ERRORS), ERRORS, beta)
    np.testing.assert_allclose(losses(ERRORS, beta), expected, rtol=2e-6)


@pytest.mark.parametrize("beta", BETAS)
def test_gradients_equal_finite_differences(beta):
    zeros = np.zeros_like(ERRORS)
    expected = components.finite_differences(
        lambda y: np.sum(components.log_cosh(zeros, y, beta)), ERRORS
    )
    np.testing.assert_allclose(gradient(ERRORS, beta), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("error", "slope"), [(0.0, 0), (2e-6, 1e-6), (40.0, 1), (41.0, 1), (-1e4, -1), (1e30, 1)]
)
def test_gradients_are_exact_at_0_and_far_out(error, slope):
    found = gradient(np.array([[error]], "float32"), beta=0.5)
    np.testing.assert_allclose(found, [[slope]], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bits_lose_no_more_than_their_rounding(dtype):
    errors = np.array([[0.01], [0.5], [15.0], [1e4]])  # 2 sinh(7.5)**2 overflows float16
    expected = components.log_cosh(np.zeros_like(errors), errors, 1.0)
    found = losses(errors, dtype=dtype).astype("float64")
    # The error itself is rounded to 8 bits in bfloat16 and then squared.
    np.testing.assert_allclose(found, expected, rtol=2**-6)


@pytest.mark.parametrize("beta", [0, -1.0, float("nan"), float("inf"), "2", None])
def test_a_beta_that_is_not_positive_and_finite_is_refused(beta):
    with pytest.raises(ValueError, match=r"LogCosh\(beta=.*positive finite number. Use 1"):
        LogCosh(beta)


def test_a_model_compiles_by_the_loss_name():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(optimizer="kerasdl>EMAMomentumSGD", loss="kerasdl>LogCosh")
    y = np.ones((3, 1), "float32")
    expected = components.log_cosh(y, model.predict(ERRORS, verbose=0), 1.0)
    assert model.evaluate(ERRORS, y, verbose=0) == pytest.approx(np.mean(expected), rel=1e-5)


def test_a_saved_model_keeps_every_argument(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    loss = LogCosh(beta=2.5, reduction="sum", name="bend", dtype="bfloat16")
    model.compile(optimizer="sgd", loss=loss)
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras").loss
    assert type(reloaded) is LogCosh
    assert reloaded.get_config() == loss.get_config()
    assert loss.get_config() == {
        "beta": 2.5,
        "reduction": "sum",
        "name": "bend",
        "dtype": "bfloat16",
    }
