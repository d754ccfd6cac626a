import math

import numpy as np
import pytest

from kerasdl.losses import SupervisedContrastive
from tests.kerasdl.losses.evaluate import gradient, sample_losses
from tests.reference import losses
from tests.reference.components import finite_differences

EMBEDDINGS = np.random.default_rng(1).normal(size=(7, 3)).astype("float32")
LABELS = np.array([0, 1, 0, 2, 1, 0, 1])


@pytest.mark.parametrize("temperature", [0.05, 0.1, 1.0])
def test_values_and_gradients_equal_the_formula(temperature):
    loss = SupervisedContrastive(temperature)

    def reference(embeddings):
        return losses.supervised_contrastive(LABELS, embeddings, temperature)

    found = sample_losses(loss, LABELS, EMBEDDINGS)
    np.testing.assert_allclose(found, reference(EMBEDDINGS), rtol=1e-5, atol=1e-5)
    expected = finite_differences(lambda rows: np.sum(reference(rows)), EMBEDDINGS)
    slopes = gradient(loss, LABELS, EMBEDDINGS)
    np.testing.assert_allclose(slopes, expected, rtol=1e-3, atol=1e-4)


def test_equal_embeddings_cost_the_logarithm_of_the_number_of_others():
    rows = np.ones((6, 3), "float32")
    found = sample_losses(SupervisedContrastive(), [0, 0, 0, 1, 1, 1], rows)
    np.testing.assert_allclose(found, math.log(5), rtol=1e-5)


def test_lengths_do_not_matter():
    loss = SupervisedContrastive()
    lengths = np.array([[1e-30], [1e30], [1], [2], [3], [1e-10], [5]], "float32")
    found = sample_losses(loss, LABELS, EMBEDDINGS * lengths)
    np.testing.assert_allclose(found, sample_losses(loss, LABELS, EMBEDDINGS), rtol=1e-5)


@pytest.mark.parametrize("temperature", [1e-4, 1e-6])
def test_a_low_temperature_stays_finite(temperature):
    loss = SupervisedContrastive(temperature)
    assert np.isfinite(sample_losses(loss, LABELS, EMBEDDINGS)).all()
    assert np.isfinite(gradient(loss, LABELS, EMBEDDINGS)).all()


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan"), float("inf"), "1", None])
def test_a_temperature_that_is_not_positive_and_finite_is_refused(temperature):
    with pytest.raises(ValueError, match=r"SupervisedContrastive\(temperature=.*Use 0.1"):
        SupervisedContrastive(temperature)
