"""The switch between the weights of training and the average."""

import keras
import numpy as np
import pytest

from kerasdl.callbacks import ScheduleFreeEvaluation
from kerasdl.optimizers import ScheduleFreeAdamW, ScheduleFreeSGD
from tests.reference import optimizers as reference

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(8, 3)).astype("float32")
Y = (X @ np.array([[1.0, 0.5], [-2.0, 0.0], [0.5, 3.0]]) + 0.3).astype("float32")
CREATE = {
    "sgd": lambda: ScheduleFreeSGD(0.1),
    "adam": lambda: ScheduleFreeAdamW(0.05, weight_decay=0.1),
}
both_kinds = pytest.mark.parametrize("kind", CREATE)


def linear(optimizer):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(optimizer=optimizer, loss="mse")
    return model


def fit(model, epochs, **settings):
    model.fit(X, Y, batch_size=4, epochs=epochs, shuffle=False, verbose=0, **settings)
    return model.get_weights()


def assert_same(found, expected, tolerance=1e-5):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


@both_kinds
def test_switching_there_and_back_is_an_identity_and_twice_is_once(kind):
    model = linear(CREATE[kind]())
    average = fit(model, 2)
    model.optimizer.switch_to_average()  # fit has done it
    assert_same(model.get_weights(), average, 0)
    model.optimizer.switch_to_training()
    training = model.get_weights()
    assert not np.allclose(training[0], average[0], atol=1e-4)
    model.optimizer.switch_to_training()
    assert_same(model.get_weights(), training, 0)
    model.optimizer.switch_to_average()
    assert_same(model.get_weights(), average)


@both_kinds
def test_fit_in_two_parts_with_the_callback_is_fit_in_one(kind):
    whole, parts = linear(CREATE[kind]()), linear(CREATE[kind]())
    parts.set_weights(whole.get_weights())
    expected = fit(whole, 4)
    callbacks = [ScheduleFreeEvaluation()]
    fit(parts, 2, callbacks=callbacks)
    assert_same(fit(parts, 2, callbacks=callbacks), expected)


def test_fit_in_two_parts_without_the_callback_takes_one_gradient_at_the_average():
    model = linear(ScheduleFreeSGD(0.1))
    start = model.get_weights()

    def gradients(weights, step):
        if step == 5:
            weights = reference.schedule_free(start, gradients, 5, 0.1)[1][-1]
        kernel, bias = weights
        residual = 2 * (X @ kernel + bias - Y) / Y.size
        return [X.T @ residual, residual.sum(axis=0)]

    for _ in range(2):
        model.fit(X, Y, batch_size=8, epochs=5, verbose=0)
    assert_same(model.get_weights(), reference.schedule_free(start, gradients, 10, 0.1)[1][-1])


def test_a_switch_before_any_training_changes_nothing():
    model = linear(ScheduleFreeSGD())
    before = model.get_weights()
    model.optimizer.switch_to_average()
    model.optimizer.build(model.trainable_variables)
    model.optimizer.switch_to_average()
    model.optimizer.switch_to_training()
    assert_same(model.get_weights(), before, 0)


def test_within_a_loss_scale_the_average_is_the_end_of_fit():
    model = linear(keras.optimizers.LossScaleOptimizer(ScheduleFreeSGD(0.1)))
    average = fit(model, 2)
    model.optimizer.inner_optimizer.switch_to_training()
    assert not np.allclose(model.get_weights()[0], average[0], atol=1e-4)
