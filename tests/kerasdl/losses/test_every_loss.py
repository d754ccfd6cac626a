"""What holds for every loss, at settings that are not the defaults."""

import json

import keras
import numpy as np
import pytest

from kerasdl import losses
from tests.kerasdl.losses.evaluate import gradient, sample_losses

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
def test_there_is_one_loss_per_sample(loss, y_true, y_pred):
    found = sample_losses(loss, y_true, y_pred)
    assert found.shape == (4,)
    assert np.isfinite(found).all()


@every_loss
def test_sample_weights_multiply_the_losses(loss, y_true, y_pred):
    weights = np.array([2.0, 0.0, 1.0, 0.5], "float32")
    expected = np.sum(sample_losses(loss, y_true, y_pred) * weights) / 4
    found = keras.ops.convert_to_numpy(loss(y_true, y_pred, sample_weight=weights))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


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


def test_a_fresh_process_rebuilds_every_loss_with_its_settings(fresh_process):
    configs = [json.dumps(keras.saving.serialize_keras_object(loss)) for loss, _, _ in TABLE]
    inputs = [(y_true.tolist(), y_pred.tolist()) for _, y_true, y_pred in TABLE]
    code = f"""
import json, keras, numpy as np
import kerasdl
for config, (y_true, y_pred) in zip({configs!r}, {inputs!r}):
    loss = keras.saving.deserialize_keras_object(json.loads(config))
    assert keras.saving.serialize_keras_object(loss) == json.loads(config), config
    print(float(loss(np.array(y_true), np.array(y_pred, "float32"))))
"""
    found = [float(line) for line in fresh_process(code).split()[-len(TABLE) :]]
    expected = [float(loss(y_true, y_pred)) for loss, y_true, y_pred in TABLE]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@every_loss
def test_the_configuration_holds_every_argument(loss, y_true, y_pred):
    changed = {"reduction": "sum", "name": "renamed", "dtype": "bfloat16"}
    copy = type(loss).from_config({**loss.get_config(), **changed})
    assert copy.get_config() == {**loss.get_config(), **changed}
