import keras
import keras_tuner
import numpy as np
import pytest

from tuning import storage
from tuning.epoch_recorder import EpochRecorder


@pytest.fixture
def recorder(tmp_path):
    recorder = EpochRecorder(keras_tuner.Objective("val_loss", "min"), tmp_path)
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    recorder.set_model(model)
    return recorder


def record(recorder, *losses):
    for epoch, loss in enumerate(losses):
        recorder.model.layers[0].bias.assign([float(epoch)])
        recorder.on_epoch_end(epoch, {"val_loss": loss})


def test_the_model_of_the_best_epoch_is_kept(recorder, tmp_path):
    record(recorder, 3.0, 1.0, 2.0)
    model = keras.saving.load_model(tmp_path / storage.MODEL_FILE)
    np.testing.assert_array_equal(model.layers[0].bias, [1.0])
    assert (recorder.best_epoch, recorder.best_value) == (1, 1.0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_epochs_whose_objective_is_not_finite_are_passed_over(recorder, bad):
    record(recorder, bad, 2.0, bad)
    assert (recorder.best_epoch, recorder.best_value) == (1, 2.0)


def test_nothing_of_an_interrupted_run_is_left(recorder, tmp_path):
    record(recorder, 1.0)
    EpochRecorder(recorder.objective, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_curve_is_on_disk_after_every_epoch(recorder, tmp_path):
    record(recorder, 3.0, 1.0)
    written = storage.read_json(tmp_path / storage.HISTORY_FILE)
    assert written["history"] == {"val_loss": [3.0, 1.0]}


def test_an_objective_that_is_not_logged_is_an_error(recorder):
    with pytest.raises(ValueError, match="'val_loss' is not among the model's metrics: 'loss'"):
        recorder.on_epoch_end(0, {"loss": 1.0})
