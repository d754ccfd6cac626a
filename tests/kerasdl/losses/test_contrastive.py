import numpy as np
import pytest

from kerasdl.losses import Contrastive
from tests.kerasdl.losses.evaluate import gradient, sample_losses
from tests.reference import losses
from tests.reference.components import finite_differences

SIMILAR = np.array([[1, 0, 0], [0, 1, 1]], "float32")
DISTANCES = np.array([[0.4, 0.3, 1.7], [0.9, 2.0, 0.05]], "float32")


@pytest.mark.parametrize(("similar", "distance"), [(1.0, 0.0), (0.0, 1.5), (0.0, 40.0)])
def test_similar_pairs_together_and_others_beyond_the_margin_cost_nothing(similar, distance):
    y_true, y_pred = np.array([[similar]]), np.array([[distance]])
    assert sample_losses(Contrastive(1.5), y_true, y_pred)[0] == 0
    assert gradient(Contrastive(1.5), y_true, y_pred.astype("float32"))[0, 0] == 0


def test_a_label_of_1_means_similar():
    similar, distance = np.array([[1.0], [0.0]]), np.array([[0.5], [0.5]], "float32")
    pulled, pushed = gradient(Contrastive(), similar, distance)
    assert pulled > 0 > pushed


@pytest.mark.parametrize("margin", [0.5, 1.0, 3.0])
def test_values_and_gradients_equal_the_formula(margin):
    loss = Contrastive(margin)
    expected = losses.contrastive(SIMILAR, DISTANCES, margin)
    np.testing.assert_allclose(sample_losses(loss, SIMILAR, DISTANCES), expected, rtol=1e-6)
    slopes = finite_differences(lambda y: np.sum(losses.contrastive(SIMILAR, y, margin)), DISTANCES)
    np.testing.assert_allclose(gradient(loss, SIMILAR, DISTANCES), slopes, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("margin", [0, -1.0, float("nan"), float("inf"), "2", None])
def test_a_margin_that_is_not_positive_and_finite_is_refused(margin):
    with pytest.raises(ValueError, match=r"Contrastive\(margin=.*positive finite number. Give"):
        Contrastive(margin)
