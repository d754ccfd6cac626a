"""Callbacks that watch a training: what holds for all of them, and what each one sees."""

import keras
import numpy as np
import pytest

from kerasdl.callbacks import ActivationDrift, DeadUnits, GradientHealth
from tests.reference import components

WATCHERS = {
    "dead_units": lambda p: DeadUnits(p.x, batch_size=7),
    "activation_drift": lambda p: ActivationDrift(p.x, batch_size=7),
    "gradient_health": lambda p: GradientHealth(p.x, p.y),
}
every_watcher = pytest.mark.parametrize("make", WATCHERS.values(), ids=WATCHERS)


def noisy_layers():
    keras.utils.set_random_seed(3)
    return [
        keras.layers.Dense(5, "relu", name="hidden"),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.5),
    ]


@every_watcher
def test_training_is_the_same_with_and_without_it(problem, make):
    histories, weights = [], []
    for callbacks in ((), (make(problem),)):
        model = problem.model(*noisy_layers())
        histories.append(problem.fit(model, *callbacks, validation_split=0.25))
        weights.append(model.get_weights())
    for key in ("loss", "val_loss"):
        np.testing.assert_allclose(histories[0][key], histories[1][key], rtol=1e-6)
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


@every_watcher
def test_every_fit_has_a_history_of_its_own(problem, make):
    watcher, model = make(problem), problem.model()
    for epochs in (2, 1):
        problem.fit(model, watcher, epochs=epochs)
        for entry in watcher.history.values():
            for column in entry.values() if isinstance(entry, dict) else [entry]:
                assert len(column) == epochs
                assert np.isfinite(column).all()


@every_watcher
def test_layers_are_as_before_after_an_exception(problem, make):
    model = problem.model()
    watcher = make(problem)
    watcher.x = problem.x[:, :3]  # the model refuses it
    with pytest.raises(Exception, match="expected"):
        problem.fit(model, watcher)
    assert not any("call" in vars(layer) for layer in model.layers)


def test_dead_units_are_those_that_never_fire(problem):
    hidden = keras.layers.Dense(4, "relu", name="hidden", trainable=False)
    model = problem.model(hidden, keras.layers.Dense(3, "tanh"))
    kernel = np.zeros((4, 4))
    kernel[0, 0] = kernel[1, 1] = 1
    hidden.set_weights([kernel, np.array([0.0, 0.0, -1.0, 1.0])])
    watcher = DeadUnits(problem.x)
    problem.fit(model, watcher)
    assert watcher.history == {"hidden": [0.25, 0.25]}


def test_a_filter_is_dead_if_it_is_at_every_position(problem):
    conv = keras.layers.Conv1D(2, 1, activation="relu", trainable=False, name="conv")
    layers = [keras.layers.Reshape((4, 1)), conv, keras.layers.Flatten()]
    model = problem.model(*layers)
    conv.set_weights([np.array([[[1.0, 0.0]]]), np.array([0.0, -1.0])])
    watcher = DeadUnits(problem.x)
    problem.fit(model, watcher, epochs=1)
    assert watcher.history == {"conv": [0.5]}


def test_layers_of_nested_models_are_watched(problem):
    inner = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, "relu", name="deep")], name="inner"
    )
    model = problem.model(inner)
    dead, drift = DeadUnits(problem.x), ActivationDrift(problem.x)
    health = GradientHealth(problem.x, problem.y)
    problem.fit(model, dead, drift, health, epochs=1)
    assert set(dead.history) == {"inner/deep"}
    assert set(drift.history) == set(health.history) == {"inner/deep", "out"}


def test_a_model_without_relus_and_unknown_layers_are_refused(problem):
    model = problem.model(keras.layers.Dense(3, "tanh"))
    with pytest.raises(ValueError, match=r"no layer with a ReLU.*Name the layers"):
        problem.fit(model, DeadUnits(problem.x))
    for watcher in (DeadUnits, ActivationDrift):
        with pytest.raises(ValueError, match=r"no layer 'ouch'; the nearest are 'out'"):
            problem.fit(model, watcher(problem.x, layers=["ouch"]))


def test_nothing_drifts_without_learning(problem):
    model = problem.model(optimizer=keras.optimizers.SGD(0.0))
    drift = ActivationDrift(problem.x)
    problem.fit(model, drift)
    for entry in drift.history.values():
        np.testing.assert_allclose(entry["mean_shift"] + entry["std_shift"], 0, atol=1e-6)


def test_drift_equals_its_formula(problem):
    model = problem.model(optimizer=keras.optimizers.SGD(0.1))
    drift = ActivationDrift(problem.x, layers=["hidden"], batch_size=5)
    probe = keras.Model(model.inputs, model.get_layer("hidden").output)
    outputs = [probe.predict(problem.x, verbose=0)]
    snapshot = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: outputs.append(probe.predict(problem.x, verbose=0))
    )
    problem.fit(model, drift, snapshot)
    entry = drift.history["hidden"]
    for epoch in range(2):
        a, b = outputs[epoch], outputs[epoch + 1]
        spread = np.sqrt(a.var(axis=0).mean())
        mean_shift = np.sqrt(((b.mean(0) - a.mean(0)) ** 2).mean()) / spread
        std_shift = np.sqrt(((b.std(0) - a.std(0)) ** 2).mean()) / spread
        assert entry["mean"][epoch] == pytest.approx(b.mean(), rel=1e-4)
        assert entry["std"][epoch] == pytest.approx(np.sqrt(b.var(axis=0).mean()), rel=1e-4)
        assert entry["mean_shift"][epoch] == pytest.approx(mean_shift, rel=1e-3)
        assert entry["std_shift"][epoch] == pytest.approx(std_shift, rel=1e-3)


def test_gradient_lengths_equal_finite_differences(problem):
    regularized = keras.layers.Dense(3, "tanh", kernel_regularizer="l2", name="hidden")
    model = problem.model(regularized)
    health = GradientHealth(problem.x, problem.y)
    logs = problem.fit(model, health, epochs=1)
    w1, b1, w2, b2 = (weight.astype("float64") for weight in model.get_weights())

    def loss(w):
        hidden = np.tanh(problem.x @ w[:-1] + w[-1])
        return np.mean((hidden @ w2 + b2 - problem.y) ** 2) + 0.01 * np.sum(w[:-1] ** 2)

    expected = np.linalg.norm(components.finite_differences(loss, np.vstack([w1, b1])))
    (found,) = health.history["hidden"]
    assert found == pytest.approx(expected, rel=1e-3)
    (other,) = health.history["out"]
    assert logs["gradient_norm"] == [pytest.approx(np.hypot(found, other))]


@pytest.mark.parametrize(
    ("bounds", "verdict"), [((1e6, 1e7), "vanishing"), ((0.0, 1e-9), "exploding")]
)
def test_gradients_beyond_the_bounds_are_flagged_with_one_warning(problem, bounds, verdict):
    health = GradientHealth(problem.x, problem.y, *bounds)
    with pytest.warns(UserWarning, match=f"layer '.*' is {verdict}") as caught:
        problem.fit(problem.model(), health)
    assert sum("The gradient" in str(warning.message) for warning in caught) == 2
    assert health.flags == [(e, layer, verdict) for e in (0, 1) for layer in ("hidden", "out")]


def test_gradients_that_are_not_finite_explode(problem):
    health = GradientHealth(np.full_like(problem.x, np.nan), problem.y)
    with pytest.warns(UserWarning, match="is exploding: its length is nan"):
        problem.fit(problem.model(), health, epochs=1)


@pytest.mark.parametrize("bounds", [(1.0, 1.0), (-1.0, 1.0), (None, 1.0)])
def test_bounds_out_of_order_are_refused(problem, bounds):
    with pytest.raises(ValueError, match=r"two numbers in this order are expected"):
        GradientHealth(problem.x, problem.y, *bounds)
