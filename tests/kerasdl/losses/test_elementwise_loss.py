import keras
import numpy as np
import pytest

from kerasdl.losses import LogCosh, LogisticLoss
from kerasdl.losses.elementwise_loss import ElementwiseLoss

SIGNS = np.array([[1, -1], [-1, -1], [1, 1]], "float32")
SCORES = np.array([[0.3, 2.0], [-1.5, 0.1], [0.0, -4.0]], "float32")

every_loss = pytest.mark.parametrize("loss_class", [LogCosh, LogisticLoss])


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


@every_loss
def test_each_sample_has_its_own_loss(loss_class):
    together = numpy(loss_class(reduction=None)(SIGNS, SCORES))
    alone = [numpy(loss_class()(SIGNS[i : i + 1], SCORES[i : i + 1])) for i in range(len(SIGNS))]
    np.testing.assert_allclose(together, alone, rtol=1e-6)


@every_loss
def test_a_sample_of_weight_0_does_not_count(loss_class):
    weighted = loss_class(reduction="sum")(SIGNS, SCORES, sample_weight=np.array([2.0, 0.0, 1.0]))
    first, _, last = numpy(loss_class(reduction=None)(SIGNS, SCORES))
    np.testing.assert_allclose(numpy(weighted), 2 * first + last, rtol=1e-6)


@every_loss
def test_a_missing_axis_of_length_1_does_not_matter(loss_class):
    loss = loss_class(reduction=None)
    expected = numpy(loss(SIGNS[:, :1], SCORES[:, :1]))
    assert expected.shape == (3,)
    for y_true, y_pred in [
        (SIGNS[:, 0], SCORES[:, :1]),
        (SIGNS[:, :1], SCORES[:, 0]),
        (SIGNS[:, 0], SCORES[:, 0]),
    ]:
        np.testing.assert_array_equal(numpy(loss(y_true, y_pred)), expected)


@every_loss
def test_axes_between_batch_and_last_are_kept(loss_class):
    y_true, y_pred = np.ones((2, 5, 3)), np.zeros((2, 5, 3))
    assert tuple(loss_class(reduction=None)(y_true, y_pred).shape) == (2, 5)


@every_loss
@pytest.mark.parametrize(
    ("true_shape", "pred_shape"),
    [((4,), (4, 10)), ((4,), (3,)), ((4, 1), (4, 10)), ((4, 2), (4, 2, 3)), ((), (4, 1))],
)
def test_targets_that_do_not_fit_are_refused(loss_class, true_shape, pred_shape):
    with pytest.raises(ValueError, match=rf"{loss_class.__name__} compares .* predictions' shape"):
        loss_class()(np.ones(true_shape), np.ones(pred_shape))


@every_loss
def test_evaluate_pairs_labels_without_a_last_axis_with_their_predictions(loss_class):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(loss=loss_class())
    expected = loss_class()(SIGNS[:, :1], model.predict(SCORES, verbose=0))
    reported = model.evaluate(SCORES, SIGNS[:, 0], verbose=0)
    assert reported == pytest.approx(float(expected), rel=1e-6)


@every_loss
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_the_dtype_survives_serialization(loss_class, dtype):
    loss = loss_class(dtype=dtype)
    reloaded = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert reloaded.dtype == dtype
    result = reloaded(SIGNS, SCORES)
    assert keras.backend.standardize_dtype(result.dtype) == dtype


def test_a_subclass_without_elementwise_says_what_is_missing():
    with pytest.raises(NotImplementedError, match="ElementwiseLoss must define elementwise"):
        ElementwiseLoss()(SIGNS, SCORES)
