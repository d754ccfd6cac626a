import keras
import numpy as np
import pytest

from kerasdl.losses import SupervisedContrastive, Triplet
from kerasdl.losses.batchwise_loss import BatchwiseLoss
from tests.kerasdl.losses.evaluate import sample_losses

EMBEDDINGS = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
LABELS = np.array([0, 1, 0, 2, 1, 0])
every_loss = pytest.mark.parametrize(
    "loss", [SupervisedContrastive(), Triplet(), Triplet(mining="hard")]
)


@every_loss
@pytest.mark.parametrize(
    "names",
    [
        np.array([16777216, 16777217, 16777218]),  # beyond 2**24 float32 has no odd integers
        np.array([-1, 127, -128], "int8"),
        np.array([0, 64, 128], "uint8"),
        np.array([2**31 - 1, -(2**31), 2**31 - 2], "int32"),
        np.array([0.25, 0.5, -3.0]),
    ],
    ids=str,
)
def test_labels_are_names_whatever_their_size(loss, names):
    expected = sample_losses(loss, LABELS, EMBEDDINGS)
    np.testing.assert_array_equal(sample_losses(loss, names[LABELS], EMBEDDINGS), expected)


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX has no 64-bit integers")
def test_labels_of_64_bits_are_told_apart():
    names = np.array([2**62, 2**62 + 2**20, 2**62 + 1])
    expected = sample_losses(Triplet(), LABELS, EMBEDDINGS)
    np.testing.assert_array_equal(sample_losses(Triplet(), names[LABELS], EMBEDDINGS), expected)


@every_loss
def test_16_bits_tell_all_labels_apart(loss):
    # bfloat16 has no odd integers beyond 256.
    shorter = type(loss).from_config({**loss.get_config(), "dtype": "bfloat16"})
    names = np.array([2**30, 2**30 + 2**18, 2**30 + 1])
    values = EMBEDDINGS.astype("float16")
    expected = sample_losses(shorter, LABELS, values)
    np.testing.assert_array_equal(sample_losses(shorter, names[LABELS], values), expected)


@every_loss
@pytest.mark.parametrize(
    "labels", [LABELS[:, None], np.eye(3)[LABELS], np.eye(3, dtype=int)[LABELS]]
)
def test_labels_may_be_a_column_or_one_hot(loss, labels):
    expected = sample_losses(loss, LABELS, EMBEDDINGS)
    np.testing.assert_array_equal(sample_losses(loss, labels, EMBEDDINGS), expected)


@every_loss
def test_the_order_of_the_samples_does_not_matter(loss):
    order = [3, 0, 5, 1, 4, 2]
    found = sample_losses(loss, LABELS[order], EMBEDDINGS[order])
    np.testing.assert_allclose(found, sample_losses(loss, LABELS, EMBEDDINGS)[order], rtol=1e-5)


@every_loss
def test_an_anchor_without_a_positive_counts_0(loss):
    found = sample_losses(loss, LABELS, EMBEDDINGS)
    assert list(found == 0) == [False, False, False, True, False, False]


@every_loss
def test_one_sample_alone_counts_0(loss):
    assert sample_losses(loss, [5], EMBEDDINGS[:1]) == [0]


@every_loss
@pytest.mark.parametrize(("true_shape", "pred_shape"), [((6,), (6, 2, 3)), ((6, 1, 1), (6, 3))])
def test_shapes_that_do_not_fit_are_refused(loss, true_shape, pred_shape):
    with pytest.raises(ValueError, match=r"compares embeddings \(batch, features\).*Flatten"):
        loss(np.ones(true_shape), np.ones(pred_shape))


def test_a_subclass_without_sample_losses_says_what_is_missing():
    with pytest.raises(NotImplementedError, match="BatchwiseLoss must define sample_losses"):
        BatchwiseLoss()(LABELS, EMBEDDINGS)
