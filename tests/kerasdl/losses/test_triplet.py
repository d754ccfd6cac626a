import numpy as np
import pytest

from kerasdl.losses import Triplet
from tests.kerasdl.losses.evaluate import gradient, sample_losses
from tests.reference import losses
from tests.reference.components import finite_differences

EMBEDDINGS = np.random.default_rng(1).normal(size=(7, 3)).astype("float32")
LABELS = np.array([0, 1, 0, 2, 1, 0, 1])
every_mining = pytest.mark.parametrize("mining", ["hard", "semi_hard"])
every_distance = pytest.mark.parametrize("distance", ["euclidean", "squared_euclidean", "cosine"])


@every_mining
@every_distance
def test_values_and_gradients_equal_the_formula(mining, distance):
    margin = 0.6
    loss = Triplet(margin, mining, distance)

    def reference(embeddings):
        return losses.triplet(LABELS, embeddings, margin, mining, distance)

    found = sample_losses(loss, LABELS, EMBEDDINGS)
    np.testing.assert_allclose(found, reference(EMBEDDINGS), rtol=1e-5, atol=1e-6)
    assert np.count_nonzero(found) >= 4
    expected = finite_differences(lambda rows: np.sum(reference(rows)), EMBEDDINGS)
    slopes = gradient(loss, LABELS, EMBEDDINGS)
    np.testing.assert_allclose(slopes, expected, rtol=1e-4, atol=1e-5)


@every_mining
def test_classes_that_lie_apart_cost_nothing(mining):
    rows = EMBEDDINGS + 100 * LABELS[:, None].astype("float32")
    np.testing.assert_array_equal(sample_losses(Triplet(1.0, mining), LABELS, rows), 0)


@every_mining
def test_without_negatives_there_is_no_loss_and_no_gradient(mining):
    labels = np.zeros(7, "int32")
    np.testing.assert_array_equal(sample_losses(Triplet(1.0, mining), labels, EMBEDDINGS), 0)
    np.testing.assert_array_equal(gradient(Triplet(1.0, mining), labels, EMBEDDINGS), 0)


@every_mining
def test_embeddings_that_are_all_the_same_cost_the_margin(mining):
    rows = np.ones((6, 3), "float32")
    labels = [0, 0, 1, 1, 2, 2]
    np.testing.assert_allclose(sample_losses(Triplet(0.7, mining), labels, rows), 0.7, rtol=1e-6)
    np.testing.assert_array_equal(gradient(Triplet(0.7, mining), labels, rows), 0)


@every_mining
@every_distance
def test_small_distances_far_from_the_origin_keep_their_digits(mining, distance):
    if distance == "cosine":
        rows = np.array([[1, 1e-3], [1, 2e-3], [1, 4e-3], [1, 7e-3]], "float32")
    else:
        rows = 100 + np.array([[0, 0], [0, 0.125], [0.25, 0], [0.5, 0.5]], "float32")
    labels = [0, 0, 1, 1]
    expected = losses.triplet(labels, rows, 1e-3, mining, distance)
    found = sample_losses(Triplet(1e-3, mining, distance), labels, rows)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-9)


def test_lengths_do_not_matter_to_the_cosine():
    loss = Triplet(0.4, "semi_hard", "cosine")
    lengths = np.array([[1e-30], [1e30], [1], [2], [3], [1e-10], [5]], "float32")
    found = sample_losses(loss, LABELS, EMBEDDINGS * lengths)
    np.testing.assert_allclose(found, sample_losses(loss, LABELS, EMBEDDINGS), rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"margin": 0}, r"Triplet\(margin=0\).*positive finite number. Give"),
        ({"margin": float("nan")}, r"Triplet\(margin=nan\)"),
        ({"margin": "1"}, r"Triplet\(margin='1'\)"),
        ({"mining": "soft"}, r"Triplet\(mining='soft'\).*'hard', 'semi_hard'. Use 'hard'"),
        ({"distance": None}, r"Triplet\(distance=None\).*'cosine'. Use 'euclidean'"),
    ],
)
def test_bad_arguments_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Triplet(**settings)
