import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from kerasdl.metrics import CohenKappa

random = np.random.default_rng(0)
every_weighting = pytest.mark.parametrize("weighting", [None, "linear", "quadratic"])


def kappa(y_true, y_pred, num_classes, weighting=None, weights=None):
    return float(CohenKappa(num_classes, weighting)(y_true, y_pred, sample_weight=weights))


@every_weighting
@pytest.mark.parametrize("num_classes", [2, 5])
@pytest.mark.parametrize("weights", [None, random.uniform(size=60)], ids=["plain", "weighted"])
def test_it_equals_scikit_learn(weighting, num_classes, weights):
    labels = random.integers(0, num_classes, 60)
    scores = random.normal(size=(60, num_classes)) + np.eye(num_classes)[labels]
    predicted = scores.argmax(axis=1)
    expected = cohen_kappa_score(labels, predicted, weights=weighting, sample_weight=weights)
    found = kappa(labels, scores, num_classes, weighting, weights)
    assert found == pytest.approx(expected, abs=1e-6)


@every_weighting
def test_all_right_is_1_and_chance_is_0(weighting):
    labels = np.arange(4).repeat(4)
    assert kappa(labels, labels, 4, weighting) == pytest.approx(1, abs=1e-6)
    assert kappa(labels, np.tile(np.arange(4), 4), 4, weighting) == pytest.approx(0, abs=1e-6)


def test_of_two_classes_all_weightings_agree():
    labels, predicted = random.integers(0, 2, 30), random.integers(0, 2, 30)
    plain = kappa(labels, predicted, 2)
    assert kappa(labels, predicted, 2, "linear") == pytest.approx(plain, abs=1e-7)
    assert kappa(labels, predicted, 2, "quadratic") == pytest.approx(plain, abs=1e-7)


@every_weighting
def test_one_class_everywhere_is_0(weighting):
    ones = np.ones(5, "int32")
    assert kappa(ones, ones, 3, weighting) == 0


@pytest.mark.parametrize("weighting", ["cubic", 2, True])
def test_an_unknown_weighting_is_refused(weighting):
    with pytest.raises(ValueError, match=r"CohenKappa\(weighting=.*None, 'linear', 'quadratic'"):
        CohenKappa(3, weighting)
