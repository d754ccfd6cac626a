import numpy as np
import pytest

from kerasdl.losses import ExpectedCost
from tests.kerasdl.losses.evaluate import gradient, sample_losses
from tests.reference import losses
from tests.reference.components import finite_differences

COST = [[0.0, 1.0, 0.2], [5.0, 0.0, 0.3]]
LABELS = np.array([1, 0, 1, 0])
LOGITS = np.array(
    [[0.3, 2.0, -1.0], [-1.5, 0.1, 4.0], [0.0, 0.0, 0.0], [9.0, 1.0, -7.0]], "float32"
)
PROBABILITIES = losses.softmax(LOGITS).astype("float32")


def test_values_equal_the_formula():
    expected = losses.expected_cost(LABELS, PROBABILITIES, COST)
    found = sample_losses(ExpectedCost(COST), LABELS, PROBABILITIES)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_logits_pass_through_a_softmax():
    found = sample_losses(ExpectedCost(COST, from_logits=True), LABELS, LOGITS)
    expected = sample_losses(ExpectedCost(COST), LABELS, PROBABILITIES)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_gradients_equal_finite_differences():
    def total(logits):
        return np.sum(losses.expected_cost(LABELS, losses.softmax(logits), COST))

    found = gradient(ExpectedCost(COST, from_logits=True), LABELS, LOGITS)
    np.testing.assert_allclose(found, finite_differences(total, LOGITS), rtol=1e-4, atol=1e-7)


def test_with_the_cost_of_a_mistake_it_is_the_probability_of_one():
    loss = ExpectedCost(1 - np.eye(3))
    found = sample_losses(loss, np.array([0, 1, 2, 1]), PROBABILITIES)
    expected = 1 - PROBABILITIES[range(4), [0, 1, 2, 1]]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("true_shape", "pred_shape"), [((2, 1), (2, 3)), ((2, 5), (2, 5, 3))])
def test_labels_may_have_a_last_axis_of_1_and_more_axes(true_shape, pred_shape):
    found = sample_losses(ExpectedCost(COST), np.ones(true_shape, "int32"), np.ones(pred_shape))
    np.testing.assert_allclose(found, np.full(pred_shape[:-1], 5.3), rtol=1e-6)


@pytest.mark.parametrize(
    ("true_shape", "pred_shape"), [((2,), (2, 2)), ((2, 2), (2, 3)), ((2,), (2,)), ((), (2, 3))]
)
def test_shapes_that_do_not_fit_are_refused(true_shape, pred_shape):
    with pytest.raises(ValueError, match=r"2 classes and 3 actions.*Give integer labels"):
        ExpectedCost(COST)(np.ones(true_shape), np.ones(pred_shape))


@pytest.mark.parametrize("cost", [None, 1.0, [1, 2], [[1, 2], [3]], [[float("nan")]], "ab", [[]]])
def test_a_cost_that_is_no_matrix_is_refused(cost):
    with pytest.raises(ValueError, match=r"ExpectedCost\(cost=.*a row per true class"):
        ExpectedCost(cost)
