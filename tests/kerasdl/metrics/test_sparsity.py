import numpy as np
import pytest

from kerasdl.metrics import Sparsity

CODES = np.array([[0.0, 1.0, 0.0, -2.0], [0.01, 0.0, 0.0, 0.0], [-0.01, 3.0, 5.0, 0.5]], "float32")


def sparsity(y_pred, threshold=0.0, **settings):
    return float(Sparsity(threshold)(None, y_pred, **settings))


def test_it_is_the_share_of_zeros():
    assert sparsity(CODES) == pytest.approx(5 / 12)


@pytest.mark.parametrize(("threshold", "count"), [(0.02, 7), (0.5, 8), (10.0, 12)])
def test_small_values_of_either_sign_count_up_to_the_threshold(threshold, count):
    assert sparsity(CODES, threshold) == pytest.approx(count / 12)


@pytest.mark.parametrize("shape", [(12,), (12, 1), (2, 2, 3), (3, 2, 2, 1)])
def test_the_shape_does_not_matter(shape):
    assert sparsity(CODES.reshape(shape)) == pytest.approx(5 / 12)


def test_a_sample_counts_by_its_weight():
    assert sparsity(CODES, sample_weight=np.array([0.0, 3.0, 1.0])) == pytest.approx(9 / 16)


@pytest.mark.parametrize("threshold", [-1.0, float("nan"), float("inf"), None])
def test_a_bad_threshold_is_refused(threshold):
    with pytest.raises(ValueError, match=r"Sparsity\(threshold=.*at least 0. Use 0"):
        Sparsity(threshold)
