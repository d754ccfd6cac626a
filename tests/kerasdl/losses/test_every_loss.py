"""What holds for every loss, at settings that are not the defaults."""

import keras
import numpy as np
import pytest

from kerasdl import losses
from tests.kerasdl.losses.evaluate import gradient

random = np.random.default_rng(0)
SIGNS = np.array([[1, -1], [-1, -1], [1, 1], [-1, 1]], "float32")
VALUES = random.normal(size=(4, 2)).astype("float32")
PREDICTIONS = random.normal(size=(4, 2)).astype("float32")
CLASSES = np.array([0, 1, 1, 0], "int32")
DISTANCES = np.abs(PREDICTIONS)

TABLE = [
    (losses.Contrastive(margin=0.7), (SIGNS + 1) / 2, DISTANCES),
    (losses.ExpectedCost([[0, 1], [5, 0.5]], from_logits=True), CLASSES, PREDICTIONS),
    (losses.GaussianNLL(beta=0.5, min_scale=0.1), VALUES[:, :1], PREDICTIONS),
    (losses.Huber(delta=0.3), VALUES, PREDICTIONS),
    (losses.LogCosh(beta=3.0), VALUES, PREDICTIONS),
    (losses.LogisticLoss(), SIGNS, PREDICTIONS),
    (losses.PerceptronLoss(), SIGNS, PREDICTIONS),
    (losses.Pinball((0.2, 0.7)), VALUES[:, 0], PREDICTIONS),
    (losses.Pinball(0.3), VALUES, PREDICTIONS),
    (losses.QualityWeighted(losses.Huber(0.3)), np.c_[VALUES, [1, 0.2, 0, 0.5]], PREDICTIONS),
    (losses.SupervisedContrastive(temperature=0.4), CLASSES, PREDICTIONS),
    (losses.Triplet(0.8, "hard", "squared_euclidean"), CLASSES, PREDICTIONS),
    (losses.Triplet(0.3, "semi_hard", "cosine"), CLASSES, PREDICTIONS),
]
every_loss = pytest.mark.parametrize(
    ("loss", "y_true", "y_pred"), TABLE, ids=lambda value: getattr(value, "name", "")
)


def test_the_table_holds_every_loss():
    assert {type(loss).__name__ for loss, _, _ in TABLE} == set(losses.__all__)


@every_loss
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bits_change_only_the_rounding(loss, y_true, y_pred, dtype):
    shorter = type(loss).from_config({**loss.get_config(), "dtype": dtype})
    found = shorter(y_true, y_pred)
    assert keras.backend.standardize_dtype(found.dtype) == dtype
    expected = keras.ops.convert_to_numpy(loss(y_true, y_pred))
    # bfloat16 has 8 bits; the cost matrix and the temperature magnify the rounding of predictions.
    found = keras.ops.convert_to_numpy(keras.ops.cast(found, "float32"))
    np.testing.assert_allclose(found, expected, rtol=0.05, atol=0.02)


@every_loss
@pytest.mark.parametrize("size", [0.0, 1e4, 1e-30])
def test_gradients_are_finite(loss, y_true, y_pred, size):
    assert np.isfinite(gradient(loss, y_true, size * np.sign(y_pred))).all()


@every_loss
def test_a_model_learns_with_a_short_last_batch(loss, y_true, y_pred):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    name = f"kerasdl>{type(loss).__name__}"
    by_name = type(loss) not in (losses.ExpectedCost, losses.QualityWeighted, losses.Pinball)
    model.compile(optimizer="sgd", loss=name if by_name else loss)
    history = model.fit(y_pred, y_true, batch_size=3, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
