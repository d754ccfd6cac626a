import keras
import numpy as np
import pytest

from kerasdl.losses import Huber, QualityWeighted
from tests.kerasdl.losses.evaluate import gradient, sample_losses

LABELS = np.array([[0.5], [-1.0], [2.0]], "float32")
QUALITY = np.array([1.0, 0.0, 0.3], "float32")
Y_PRED = np.array([[0.2], [0.4], [0.9]], "float32")


def with_quality(labels):
    return np.concatenate([labels, QUALITY.reshape(3, *[1] * (labels.ndim - 1))], axis=-1)


def test_it_is_the_loss_with_the_quality_as_sample_weight():
    found = QualityWeighted(Huber(0.5))(with_quality(LABELS), Y_PRED)
    expected = Huber(0.5)(LABELS, Y_PRED, sample_weight=QUALITY)
    np.testing.assert_allclose(float(found), float(expected), rtol=1e-6)


def test_a_label_of_quality_0_teaches_nothing():
    slopes = gradient(QualityWeighted(Huber()), with_quality(LABELS), Y_PRED)
    assert list(slopes[:, 0] != 0) == [True, False, True]


def test_integer_labels_reach_the_loss():
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    logits = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    labels = np.array([[3], [0], [1]])
    found = QualityWeighted(loss)(with_quality(labels), logits)
    expected = loss(labels, logits, sample_weight=QUALITY)
    np.testing.assert_allclose(float(found), float(expected), rtol=1e-6)


def test_one_quality_weights_all_values_of_its_row():
    logits = np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32")
    labels = np.ones((3, 5), "int32")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None)
    expected = keras.ops.convert_to_numpy(loss(labels, logits)) * QUALITY[:, None]
    found = sample_losses(QualityWeighted(loss), with_quality(labels), logits)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_its_dtype_is_that_of_the_loss():
    assert QualityWeighted(Huber(dtype="bfloat16")).dtype == "bfloat16"
    assert QualityWeighted(Huber(dtype="bfloat16"), dtype="float32").dtype == "float32"


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_targets_without_a_quality_are_refused(shape):
    with pytest.raises(ValueError, match=r"QualityWeighted takes the last column.*Append"):
        QualityWeighted(Huber())(np.ones(shape), Y_PRED)


@pytest.mark.parametrize("loss", ["mse", None, Huber])
def test_what_is_no_loss_is_refused(loss):
    with pytest.raises(TypeError, match=r"QualityWeighted\(loss=.*an instance"):
        QualityWeighted(loss)
