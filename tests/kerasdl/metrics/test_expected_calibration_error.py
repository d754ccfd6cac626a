import numpy as np
import pytest

from kerasdl.metrics import ExpectedCalibrationError
from tests.reference import metrics
from tests.reference.losses import softmax

random = np.random.default_rng(0)
LABELS = random.integers(0, 4, 200)
LOGITS = 2 * random.normal(size=(200, 4)).astype("float32")


def error(y_true, y_pred, bins=15, weights=None, **settings):
    return float(ExpectedCalibrationError(bins, **settings)(y_true, y_pred, sample_weight=weights))


@pytest.mark.parametrize("bins", [1, 10, 15])
@pytest.mark.parametrize("weights", [None, random.uniform(size=200)], ids=["plain", "weighted"])
def test_it_equals_the_formula(bins, weights):
    expected = metrics.expected_calibration_error(LABELS, softmax(LOGITS), bins, weights)
    assert error(LABELS, LOGITS, bins, weights, from_logits=True) == pytest.approx(
        expected, abs=1e-5
    )
    probabilities = softmax(LOGITS).astype("float32")
    assert error(LABELS, probabilities, bins, weights) == pytest.approx(expected, abs=1e-5)


def test_confidence_that_equals_accuracy_in_each_bin_is_no_error():
    probabilities = np.repeat([[0.75, 0.25], [0.0, 1.0]], 4, axis=0)
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 1])
    assert error(labels, probabilities) == pytest.approx(0, abs=1e-6)


def test_certain_and_always_wrong_is_1():
    assert error(np.zeros(5), np.tile([0.0, 1.0], (5, 1))) == pytest.approx(1)


def test_a_bin_holds_its_upper_edge():
    # Together in one bin, 1 - 0.5 and 0 - 0.75 would nearly cancel.
    probabilities = np.array([[0.5, 0.25, 0.25], [0.75, 0.25, 0]])
    assert error(np.array([0, 1]), probabilities, bins=2) == pytest.approx(1.25 / 2, abs=1e-6)


@pytest.mark.parametrize("shape", [(6,), (6, 1)])
@pytest.mark.parametrize("from_logits", [False, True])
def test_one_column_stands_for_two_classes(shape, from_logits):
    scores = np.array([0.9, 0.2, 0.6, 0.4, 0.45, 0.02])
    labels = np.array([1, 0, 0, 1, 0, 0])
    expected = error(labels, np.stack([1 - scores, scores], axis=1))
    column = np.log(scores / (1 - scores)) if from_logits else scores
    found = error(labels, column.reshape(shape), from_logits=from_logits)
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("bins", [0, -1, 1.5, None, "15"])
def test_bad_bins_are_refused(bins):
    with pytest.raises(ValueError, match=r"ExpectedCalibrationError\(bins=.*at least 1. Use 15"):
        ExpectedCalibrationError(bins)
