import keras
import numpy as np
import pytest

from kerasdl.callbacks import ScheduleFreeEvaluation
from kerasdl.optimizers import GradientTransform, ScheduleFreeSGD

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
Y = (X @ np.array([[1.0], [-2.0], [0.5]])).astype("float32")


def linear(optimizer):
    dense = keras.layers.Dense(1, kernel_initializer="ones")
    model = keras.Sequential([keras.Input((3,)), dense])
    model.compile(optimizer=optimizer, loss="mse")
    return model


def fit(model, epochs, *callbacks, **settings):
    settings = {"batch_size": 4, "shuffle": False, "verbose": 0, **settings}
    return model.fit(X, Y, epochs=epochs, callbacks=list(callbacks), **settings).history


def test_validation_and_checkpoints_have_the_weights_with_which_a_shorter_fit_ends(tmp_path):
    model, path = linear(ScheduleFreeSGD(0.1)), str(tmp_path / "{epoch}.weights.h5")
    checkpoint = keras.callbacks.ModelCheckpoint(path, save_weights_only=True)
    history = fit(model, 3, ScheduleFreeEvaluation(), checkpoint, validation_data=(X, Y))
    for epochs in (1, 2, 3):
        shorter = linear(ScheduleFreeSGD(0.1))
        fit(shorter, epochs)
        loss = shorter.evaluate(X, Y, verbose=0)
        assert history["val_loss"][epochs - 1] == pytest.approx(loss, rel=1e-4)
        saved = linear(ScheduleFreeSGD(0.1))
        saved.optimizer.build(saved.trainable_variables)
        saved.load_weights(tmp_path / f"{epochs}.weights.h5")
        assert saved.evaluate(X, Y, verbose=0) == pytest.approx(loss, rel=1e-4)


def test_without_it_validation_sees_the_weights_of_training():
    plain = fit(linear(ScheduleFreeSGD(0.1)), 2, validation_data=(X, Y))
    averaged = linear(ScheduleFreeSGD(0.1))
    history = fit(averaged, 2, ScheduleFreeEvaluation(), validation_data=(X, Y))
    np.testing.assert_allclose(history["loss"], plain["loss"], rtol=1e-5)
    assert not np.allclose(history["val_loss"], plain["val_loss"], rtol=1e-3)


def test_it_finds_the_optimizer_within_others():
    inner = ScheduleFreeSGD(0.1)
    model = linear(keras.optimizers.LossScaleOptimizer(GradientTransform(inner, True)))
    fit(model, 2, ScheduleFreeEvaluation())
    average = model.get_weights()[0]
    inner.switch_to_training()
    assert not np.allclose(model.get_weights()[0], average, atol=1e-4)


def test_another_optimizer_is_refused():
    with pytest.raises(ValueError, match=r"needs a schedule-free optimizer.*ScheduleFreeSGD"):
        fit(linear("adam"), 1, ScheduleFreeEvaluation())
