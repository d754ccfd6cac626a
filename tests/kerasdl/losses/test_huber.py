import keras
import numpy as np
import pytest

from kerasdl.losses import Huber
from tests.kerasdl.losses.evaluate import gradient, sample_losses
from tests.reference import losses
from tests.reference.components import finite_differences

ERRORS = np.array([[-7.0, -0.3, 1e-3], [0.02, 0.9, 15.0], [30.0, -250.0, 2.0]], "float32")
ZEROS = np.zeros_like(ERRORS)
every_delta = pytest.mark.parametrize("delta", [0.1, 1.0, 5.0])


@every_delta
def test_it_has_the_values_of_keras(delta):
    expected = keras.losses.Huber(delta, reduction=None)(ZEROS, ERRORS)
    expected = keras.ops.convert_to_numpy(expected)
    np.testing.assert_allclose(sample_losses(Huber(delta), ZEROS, ERRORS), expected, rtol=1e-6)


@every_delta
def test_values_equal_the_formula(delta):
    expected = losses.huber(ZEROS, ERRORS, delta)
    np.testing.assert_allclose(sample_losses(Huber(delta), ZEROS, ERRORS), expected, rtol=1e-6)


@every_delta
def test_gradients_equal_finite_differences(delta):
    expected = finite_differences(lambda y: np.sum(losses.huber(ZEROS, y, delta)), ERRORS)
    found = gradient(Huber(delta), ZEROS, ERRORS)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("error", "slope"), [(0.0, 0), (2.0, 2), (-2.0, -2), (1e30, 2)])
def test_gradients_are_exact_at_0_at_the_bend_and_far_out(error, slope):
    y_pred = np.array([[error]], "float32")
    assert gradient(Huber(2.0), np.zeros((1, 1), "float32"), y_pred)[0, 0] == slope


def test_a_saved_model_keeps_delta(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.compile(optimizer="sgd", loss=Huber(delta=5.0))
    model.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").loss.delta == 5.0


@pytest.mark.parametrize("delta", [0, -1.0, float("nan"), float("inf"), "2", None])
def test_a_delta_that_is_not_positive_and_finite_is_refused(delta):
    with pytest.raises(ValueError, match=r"Huber\(delta=.*positive finite number. Give"):
        Huber(delta)
