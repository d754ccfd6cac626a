import keras
import numpy as np
import pytest

from kerasdl.optimizers import EMAMomentumSGD
from tests.reference import components

WEIGHT = np.array([[0.5, -1.0], [2.0, 0.0]], "float32")
GRADIENTS = np.random.default_rng(0).normal(size=(20, 2, 2)).astype("float32")
X = np.random.default_rng(1).normal(size=(8, 3)).astype("float32")
Y = X @ np.array([[1.0], [-2.0], [0.5]], "float32")


def run(optimizer, gradients=GRADIENTS, weight=WEIGHT):
    """Returns the weight after each step."""
    variable = keras.Variable(weight)
    trajectory = []
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        trajectory.append(keras.ops.convert_to_numpy(variable).copy())
    return trajectory


def linear_model(optimizer):
    dense = keras.layers.Dense(1, kernel_initializer="ones")
    model = keras.Sequential([keras.Input((3,)), dense])
    model.compile(optimizer=optimizer, loss="mse")
    return model


def fit(model, epochs):
    return model.fit(X, Y, batch_size=4, epochs=epochs, shuffle=False, verbose=0)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 0.99])
def test_at_a_constant_rate_it_makes_the_steps_of_sgd_at_a_smaller_rate(momentum):
    sgd = run(keras.optimizers.SGD(0.02, momentum))
    ema = run(EMAMomentumSGD(0.02 / (1 - momentum), momentum))
    np.testing.assert_allclose(ema, sgd, rtol=1e-5, atol=1e-6)


def test_under_a_constant_gradient_the_step_grows_to_rate_times_gradient():
    trajectory = run(EMAMomentumSGD(0.1, 0.5), np.ones((30, 2, 2), "float32"))
    steps = np.diff([WEIGHT, *trajectory], axis=0)
    np.testing.assert_allclose(steps[0], -0.05, rtol=1e-5)
    np.testing.assert_allclose(steps[-1], -0.1, rtol=1e-4)  # float32 weights of size 1


def test_a_rate_of_0_leaves_the_weights_unchanged_after_a_step_of_fit():
    model = linear_model(EMAMomentumSGD(0.0))
    model.fit(X, Y, batch_size=8, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], np.ones((3, 1)))


@pytest.mark.parametrize(("learning_rate", "momentum"), [(0.01, 0.9), (0.3, 0.0), (1.0, 0.99)])
def test_20_steps_equal_the_formula(learning_rate, momentum):
    expected = components.ema_momentum_sgd(WEIGHT, GRADIENTS, learning_rate, momentum)
    found = run(EMAMomentumSGD(learning_rate, momentum))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_changed_rate_scales_the_whole_velocity():
    gradients = np.stack([np.ones((2, 2)), np.zeros((2, 2))]).astype("float32")
    halved = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.8, 0.4])
    _, weight = run(EMAMomentumSGD(halved, 0.5), gradients)
    # velocities 0.5 and 0.25; SGD would make the second step at the first step's rate
    np.testing.assert_allclose(weight, WEIGHT - 0.8 * 0.5 - 0.4 * 0.25, rtol=1e-6)


def test_training_stopped_saved_and_continued_equals_training_in_one_go(tmp_path):
    model = linear_model(EMAMomentumSGD(0.1, 0.8))
    fit(model, 2)
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    fit(model, 2)
    fit(reloaded, 2)
    for continued, uninterrupted in zip(reloaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(continued, uninterrupted)


def test_a_saved_model_keeps_every_argument(tmp_path):
    settings = {
        "learning_rate": 0.25,
        "momentum": 0.5,
        "name": "average",
        "weight_decay": 0.01,
        "clipnorm": 2.0,
        "use_ema": True,
        "ema_momentum": 0.9,
        "ema_overwrite_frequency": 3,
        "loss_scale_factor": 2.0,
        "gradient_accumulation_steps": 2,
    }
    model = linear_model(EMAMomentumSGD(**settings))
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras").optimizer
    assert type(reloaded) is EMAMomentumSGD
    assert settings.items() <= reloaded.get_config().items()


def test_fit_by_name_lowers_the_loss():
    history = fit(linear_model("kerasdl>EMAMomentumSGD"), 5).history["loss"]
    assert history[-1] < history[0]


def test_an_embedding_with_sparse_gradients_trains_as_with_sgd():
    def trained(optimizer):
        embedding = keras.layers.Embedding(5, 2, embeddings_initializer="ones")
        model = keras.Sequential([keras.Input((2,), dtype="int32"), embedding])
        model.compile(optimizer=optimizer, loss="mse")
        tokens = np.array([[0, 1], [1, 3]])
        model.fit(tokens, np.zeros((2, 2, 2)), batch_size=1, shuffle=False, verbose=0)
        return model.get_weights()[0]

    expected = trained(keras.optimizers.SGD(0.1, 0.5))
    np.testing.assert_allclose(trained(EMAMomentumSGD(0.2, 0.5)), expected, rtol=1e-6)
    assert expected[2, 0] == 1  # a token that did not occur


def test_bfloat16_weights_keep_their_dtype():
    variable = keras.Variable(WEIGHT, dtype="bfloat16")
    optimizer = EMAMomentumSGD(0.5, 0.5)
    optimizer.apply([keras.ops.ones((2, 2), "bfloat16")], [variable])
    assert keras.backend.standardize_dtype(optimizer.velocities[0].dtype) == "bfloat16"
    found = keras.ops.convert_to_numpy(keras.ops.cast(variable, "float32"))
    np.testing.assert_array_equal(found, WEIGHT - 0.25)  # exact in 8 bits


@pytest.mark.parametrize("momentum", [-0.1, 1.0, 1.5, float("nan"), None, "0.9"])
def test_a_momentum_outside_0_to_1_is_refused(momentum):
    with pytest.raises(ValueError, match=r"momentum=.*must lie in \[0, 1\). Use 0.9"):
        EMAMomentumSGD(momentum=momentum)


def test_an_argument_that_keras_does_not_know_is_refused():
    with pytest.raises(ValueError, match="nesterov"):
        EMAMomentumSGD(nesterov=True)
