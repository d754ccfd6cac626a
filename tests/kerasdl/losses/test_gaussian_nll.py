import numpy as np
import pytest
from scipy import stats

from kerasdl.losses import GaussianNLL
from tests.kerasdl.losses.evaluate import gradient, sample_losses
from tests.reference import losses
from tests.reference.components import finite_differences

Y_TRUE = np.array([[0.5, -1.0], [2.0, 0.0], [-3.0, 0.1]], "float32")
Y_PRED = np.array([[0.2, -0.5, 0.3, -2.0], [1.0, 0.1, 4.0, 0.0], [-3.5, 0.1, -1.0, 1.0]], "float32")
every_beta = pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])


def weight_at(y_pred, beta):
    return losses.gaussian_scale(y_pred[:, 2:]) ** (2 * beta)


def test_it_is_the_likelihood_but_for_its_constant():
    scale = losses.gaussian_scale(Y_PRED[:, 2:])
    density = stats.norm.logpdf(Y_TRUE, Y_PRED[:, :2], scale)
    expected = np.mean(-density - np.log(2 * np.pi) / 2, axis=1)
    np.testing.assert_allclose(sample_losses(GaussianNLL(), Y_TRUE, Y_PRED), expected, rtol=1e-5)


@every_beta
def test_values_equal_the_formula(beta):
    expected = losses.gaussian_nll(Y_TRUE, Y_PRED, weight_at(Y_PRED, beta))
    found = sample_losses(GaussianNLL(beta), Y_TRUE, Y_PRED)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@every_beta
def test_gradients_equal_finite_differences_at_a_constant_weight(beta):
    weight = weight_at(Y_PRED, beta)
    expected = finite_differences(lambda y: np.sum(losses.gaussian_nll(Y_TRUE, y, weight)), Y_PRED)
    found = gradient(GaussianNLL(beta), Y_TRUE, Y_PRED)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_beta_1_gives_the_mean_the_gradient_of_the_squared_error():
    found = gradient(GaussianNLL(beta=1.0), Y_TRUE, Y_PRED)[:, :2]
    # Half the squared error, meant over the two targets.
    np.testing.assert_allclose(found, (Y_PRED[:, :2] - Y_TRUE) / 2, rtol=1e-5, atol=1e-7)


def test_a_certain_hit_costs_the_logarithm_of_the_floor():
    loss = GaussianNLL(min_scale=0.01)
    found = sample_losses(loss, np.array([[2.0]]), np.array([[2.0, -1e4]], "float32"))
    np.testing.assert_allclose(found, np.log(0.01), rtol=1e-6)


@pytest.mark.parametrize(
    ("true_shape", "pred_shape", "samples"),
    [((3,), (3, 2), (3,)), ((3, 5, 2), (3, 5, 4), (3, 5)), ((3, 2, 1), (3, 4), (3, 2))],
)
def test_targets_pair_with_the_first_half_of_the_predictions(true_shape, pred_shape, samples):
    found = sample_losses(GaussianNLL(), np.ones(true_shape), np.ones(pred_shape))
    assert found.shape == samples
    np.testing.assert_allclose(found, np.log(losses.gaussian_scale(1.0)), rtol=1e-5)


@pytest.mark.parametrize(
    ("true_shape", "pred_shape", "message"),
    [
        ((3, 2), (3, 3), "2 outputs per target"),
        ((3,), (3,), "2 outputs per target"),
        ((3, 2), (3, 2), "targets of the predictions' shape"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(true_shape, pred_shape, message):
    with pytest.raises(ValueError, match=message):
        GaussianNLL()(np.ones(true_shape), np.ones(pred_shape))


@pytest.mark.parametrize("beta", [-0.1, 1.5, float("nan"), "1", None])
def test_a_beta_outside_0_and_1_is_refused(beta):
    with pytest.raises(ValueError, match=r"GaussianNLL\(beta=.*\[0, 1\]. Use 0"):
        GaussianNLL(beta)


@pytest.mark.parametrize("floor", [0.0, -1.0, float("nan"), float("inf"), None])
def test_a_floor_that_is_not_positive_and_finite_is_refused(floor):
    with pytest.raises(ValueError, match=r"GaussianNLL\(min_scale=.*positive finite"):
        GaussianNLL(min_scale=floor)
