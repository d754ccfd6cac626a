import keras
import numpy as np
import pytest

from kerasdl.backend import vjp
from kerasdl.losses import LogisticLoss
from tests.reference import components

Y_TRUE = np.array([[1, -1, 1], [-1, -1, 1], [1, 1, -1]], "float32")
Y_PRED = np.array([[0.0, 0.5, -3.0], [2.0, -7.5, 1e-3], [9.0, 0.2, -0.4]], "float32")


def losses(y_true, y_pred):
    return keras.ops.convert_to_numpy(LogisticLoss(reduction=None)(y_true, y_pred))


def gradient(y_true, y_pred):
    value, pullback = vjp(lambda y: LogisticLoss(reduction="sum")(y_true, y), y_pred)
    return keras.ops.convert_to_numpy(pullback(keras.ops.ones_like(value)))


def test_an_undecided_logit_costs_log_2():
    np.testing.assert_allclose(losses(Y_TRUE, 0 * Y_PRED), np.log(2), rtol=1e-6)


def test_flipping_labels_and_logits_changes_nothing():
    np.testing.assert_array_equal(losses(-Y_TRUE, -Y_PRED), losses(Y_TRUE, Y_PRED))


def test_it_is_the_binary_cross_entropy_of_labels_0_and_1():
    cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True, reduction=None)
    expected = keras.ops.convert_to_numpy(cross_entropy((Y_TRUE + 1) / 2, Y_PRED))
    np.testing.assert_allclose(losses(Y_TRUE, Y_PRED), expected, rtol=1e-5)


def test_a_label_0_has_no_gradient():
    np.testing.assert_array_equal(gradient(0 * Y_TRUE, Y_PRED), 0)


@pytest.mark.parametrize("logit", [1e4, -1e4])
def test_far_out_it_is_the_margin_and_its_slope_is_1_or_0(logit):
    y_pred = np.array([[logit]], "float32")
    one = np.ones((1, 1), "float32")
    assert losses(one, y_pred)[0] == pytest.approx(max(0, -logit))
    assert gradient(one, y_pred)[0, 0] == (-1 if logit < 0 else 0)


def test_values_equal_the_formula():
    expected = components.logistic_loss(Y_TRUE, Y_PRED)
    np.testing.assert_allclose(losses(Y_TRUE, Y_PRED), expected, rtol=1e-6)


def test_gradients_equal_finite_differences():
    expected = components.finite_differences(
        lambda y: np.sum(components.logistic_loss(Y_TRUE, y)), Y_PRED
    )
    np.testing.assert_allclose(gradient(Y_TRUE, Y_PRED), expected, rtol=1e-5, atol=1e-7)


def test_a_linear_model_learns_to_separate_by_the_loss_name():
    x = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    labels = np.sign(x[:, 0] - 2 * x[:, 1])
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss="kerasdl>LogisticLoss")
    model.fit(x, labels, batch_size=16, epochs=3, verbose=0)
    scores = model.predict(x, verbose=0)[:, 0]
    assert np.mean(np.sign(scores) == labels) > 0.95


def test_a_saved_model_keeps_every_argument(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    loss = LogisticLoss(reduction="sum", name="margin", dtype="bfloat16")
    model.compile(optimizer="sgd", loss=loss)
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras").loss
    assert type(reloaded) is LogisticLoss
    assert reloaded.get_config() == loss.get_config()
    assert loss.get_config() == {"reduction": "sum", "name": "margin", "dtype": "bfloat16"}
