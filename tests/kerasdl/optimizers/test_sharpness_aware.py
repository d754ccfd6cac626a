import keras
import numpy as np
import pytest
from keras import layers

from kerasdl.optimizers import SharpnessAware
from tests.reference import optimizers as reference

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(8, 3)).astype("float32")
Y = (X @ np.array([[1.0, 0.5], [-2.0, 0.0], [0.5, 3.0]]) + 0.3).astype("float32")


def linear():
    return keras.Sequential([keras.Input((3,)), layers.Dense(2)])


def fit(model, epochs=1, **settings):
    return model.fit(X, Y, **{"batch_size": 8, "epochs": epochs, "verbose": 0, **settings})


def mse_gradients(weights, step):
    kernel, bias = weights
    residual = 2 * (X @ kernel + bias - Y) / Y.size
    return [X.T @ residual, residual.sum(axis=0)]


@pytest.mark.parametrize("rho", [0.05, 2.0])
def test_fit_equals_the_formula(rho):
    model = linear()
    aware = SharpnessAware(model, rho)
    aware.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    path = reference.sharpness_aware_sgd(model.get_weights(), mse_gradients, 10, 0.1, rho)
    fit(aware, 10)
    for found, expected in zip(model.get_weights(), path[-1], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def stochastic():
    drops, normalization = layers.Dropout(0.5, seed=1), layers.BatchNormalization()
    return keras.Sequential([keras.Input((3,)), drops, normalization, layers.Dense(2)])


def test_without_a_radius_it_trains_as_usual_with_statistics_and_dropout_moving_once():
    plain, model = stochastic(), stochastic()
    model.set_weights(plain.get_weights())
    aware = SharpnessAware(model, 0.0)
    losses = []
    for trained in (plain, aware):
        trained.compile(optimizer=keras.optimizers.Adam(0.1), loss="mse", metrics=["mae"])
        losses.append(fit(trained, 3, batch_size=4, shuffle=False).history)
    for found, expected in zip(model.variables, plain.variables, strict=True):
        found, expected = (keras.ops.convert_to_numpy(value) for value in (found, expected))
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    for metric in ("loss", "mae"):
        np.testing.assert_allclose(losses[1][metric], losses[0][metric], rtol=1e-5)


def test_statistics_and_reported_loss_are_those_of_the_weights_themselves():
    plain, model = stochastic(), stochastic()
    model.set_weights(plain.get_weights())
    aware = SharpnessAware(model, 5.0)
    losses = []
    for trained in (plain, aware):
        trained.compile(optimizer=keras.optimizers.SGD(0.0), loss="mse")
        losses.append(fit(trained, 2, shuffle=False).history["loss"])
    for found, expected in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-6)


def test_predicting_and_evaluating_pass_through():
    model = linear()
    aware = SharpnessAware(model)
    for compiled in (model, aware):
        compiled.compile(optimizer="sgd", loss="mse")
    np.testing.assert_array_equal(aware.predict(X, verbose=0), model.predict(X, verbose=0))
    assert aware.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)


def test_both_models_are_saved_and_training_goes_on_from_the_file(tmp_path):
    aware = SharpnessAware(linear(), rho=0.2, name="aware")
    aware.compile(optimizer=keras.optimizers.SGD(0.1, 0.9), loss="mse")
    fit(aware, 2)
    aware.save(tmp_path / "aware.keras")
    aware.model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "aware.keras")
    assert (reloaded.rho, reloaded.name) == (0.2, "aware")
    alone = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(alone.predict(X, verbose=0), aware.predict(X, verbose=0))
    fit(aware, 2)
    fit(reloaded, 2)
    for found, expected in zip(reloaded.get_weights(), aware.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_model_without_shapes_is_built_in_fit():
    model = keras.Sequential([layers.Dense(4, activation="relu"), layers.Dense(2)])
    aware = SharpnessAware(model)
    aware.compile(optimizer="adam", loss="mse")
    fit(aware)
    assert model.predict(X, verbose=0).shape == (8, 2)


def test_a_loss_scale_and_frozen_layers_are_respected():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(3), layers.Dense(2)])
    model.layers[0].trainable = False
    frozen, free = (layer.get_weights()[0] for layer in model.layers)
    aware = SharpnessAware(model)
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=64.0)
    aware.compile(optimizer=scaled, loss="mse")
    fit(aware)
    np.testing.assert_array_equal(model.layers[0].get_weights()[0], frozen)
    assert not np.allclose(model.layers[1].get_weights()[0], free)


def test_two_outputs_with_weights_of_rows_report_the_losses_of_plain_training():
    def two_headed():
        inputs = keras.Input((3,))
        heads = layers.Dense(2, name="a")(inputs), layers.Dense(2, name="b")(inputs)
        return keras.Model(inputs, heads)

    plain, model = two_headed(), two_headed()
    model.set_weights(plain.get_weights())
    reports = []
    for trained in (plain, SharpnessAware(model, 1.0)):
        trained.compile(optimizer=keras.optimizers.SGD(0.0), loss=["mse", "mae"])
        trained.fit(X, [Y, Y], sample_weight=[np.arange(8.0)] * 2, batch_size=4, verbose=0)
        reports.append(sorted(trained.get_metrics_result().values()))
    np.testing.assert_allclose(reports[1], reports[0], rtol=1e-5)


def test_sparse_gradients_of_an_embedding_train():
    model = keras.Sequential([keras.Input((2,), dtype="int32"), layers.Embedding(4, 2)])
    before = model.get_weights()[0]
    aware = SharpnessAware(model)
    aware.compile(optimizer="sgd", loss="mse")
    aware.fit(np.array([[0, 1], [1, 3]]), np.ones((2, 2, 2)), verbose=0)
    moved = np.abs(model.get_weights()[0] - before).sum(axis=1) > 0
    assert moved.tolist() == [True, True, False, True]


def test_what_is_no_model_is_refused():
    with pytest.raises(TypeError, match=r"model must be a keras\.Model"):
        SharpnessAware(layers.Dense(2))


@pytest.mark.parametrize("rho", [-0.1, float("inf"), "0.05", None])
def test_a_radius_below_0_is_refused(rho):
    with pytest.raises(ValueError, match=r"rho=.*must be a finite number of at least 0. Use 0.05"):
        SharpnessAware(linear(), rho)
