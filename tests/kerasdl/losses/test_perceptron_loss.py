import numpy as np
import pytest

from kerasdl.losses import PerceptronLoss
from tests.kerasdl.losses.evaluate import gradient, sample_losses
from tests.reference import losses
from tests.reference.components import finite_differences

Y_TRUE = np.array([[1, -1, 1], [-1, -1, 1], [1, 1, -1]], "float32")
Y_PRED = np.array([[0.1, 0.5, -3.0], [2.0, -7.5, 1e-3], [9.0, 0.2, -0.4]], "float32")


def test_a_score_on_the_right_side_costs_nothing():
    np.testing.assert_array_equal(sample_losses(PerceptronLoss(), Y_TRUE, 1e-6 * Y_TRUE), 0)


def test_it_is_homogeneous_in_the_scores():
    thrice = sample_losses(PerceptronLoss(), Y_TRUE, 3 * Y_PRED)
    np.testing.assert_allclose(thrice, 3 * sample_losses(PerceptronLoss(), Y_TRUE, Y_PRED))


def test_values_equal_the_formula():
    expected = losses.perceptron_loss(Y_TRUE, Y_PRED)
    np.testing.assert_allclose(sample_losses(PerceptronLoss(), Y_TRUE, Y_PRED), expected, rtol=1e-6)


def test_gradients_equal_finite_differences():
    expected = finite_differences(lambda y: np.sum(losses.perceptron_loss(Y_TRUE, y)), Y_PRED)
    found = gradient(PerceptronLoss(), Y_TRUE, Y_PRED)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("label", [-1.0, 0.0, 1.0])
def test_a_score_of_0_is_pushed_towards_its_label(label):
    y_true = np.array([[label]], "float32")
    assert gradient(PerceptronLoss(), y_true, np.zeros((1, 1), "float32"))[0, 0] == -label


def test_its_descent_is_the_perceptron_rule_which_separates_from_zero_weights():
    x = np.random.default_rng(0).normal(size=(40, 2)).astype("float32")
    labels = np.where(x @ [1.0, -2.0] > 0, 1, -1).astype("float32")
    weights = np.zeros(2, "float32")
    for row, label in zip(np.tile(x, (5, 1)), np.tile(labels, 5), strict=True):
        score = np.reshape(row @ weights, (1, 1))
        slope = gradient(PerceptronLoss(), np.array([[label]]), score)[0, 0]
        corrected = label if label * (row @ weights) <= 0 else 0
        assert slope == -corrected
        weights -= slope * row
    assert np.mean(np.sign(x @ weights) == labels) > 0.95
