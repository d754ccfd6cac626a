"""What every optimizer keeps to."""

import keras
import numpy as np
import pytest
from keras import ops

from kerasdl import optimizers

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(8, 3)).astype("float32")
Y = (X @ np.array([[1.0], [-2.0], [0.5]])).astype("float32")
KERNEL = RANDOM.normal(size=(3, 2)).astype("float32")
BIAS = np.array([0.5, -0.5], "float32")
GRADIENTS = [
    [RANDOM.normal(size=(3, 2)).astype("float32"), RANDOM.normal(size=2).astype("float32")]
    for _ in range(6)
]
CREATE = {  # a learning rate and settings of the base class to an optimizer
    "ADOPT": optimizers.ADOPT,
    "LARS": optimizers.LARS,
    "AdaBelief": optimizers.AdaBelief,
    "Adan": optimizers.Adan,
    "GradientTransform": lambda rate, **settings: optimizers.GradientTransform(
        keras.optimizers.Adam(rate), True, 0.5, noise=0.1, seed=0, **settings
    ),
    "Lookahead": lambda rate, **settings: optimizers.Lookahead(
        keras.optimizers.SGD(rate, 0.9), k=2, **settings
    ),
    "Prodigy": lambda rate, **settings: optimizers.Prodigy(rate, initial_distance=0.01, **settings),
    "RAdam": optimizers.RAdam,
    "ScheduleFreeAdamW": optimizers.ScheduleFreeAdamW,
    "ScheduleFreeSGD": optimizers.ScheduleFreeSGD,
}
every_optimizer = pytest.mark.parametrize("name", CREATE)


def linear_model(optimizer):
    dense = keras.layers.Dense(1, kernel_initializer="ones")
    model = keras.Sequential([keras.Input((3,)), dense])
    model.compile(optimizer=optimizer, loss="mse")
    return model


def fit(model, epochs):
    return model.fit(X, Y, batch_size=4, epochs=epochs, shuffle=False, verbose=0)


def run(optimizer, gradients=GRADIENTS, dtype="float32"):
    """Returns kernel and bias after the steps."""
    variables = [keras.Variable(KERNEL, dtype=dtype, name="kernel")]
    variables.append(keras.Variable(BIAS, dtype=dtype, name="bias"))
    for pair in gradients:
        optimizer.apply([ops.convert_to_tensor(g, dtype) for g in pair], variables)
    return [ops.convert_to_numpy(ops.cast(variable, "float32")).copy() for variable in variables]


def assert_same(found, expected, **tolerance):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, **{"rtol": 1e-5, "atol": 1e-6, **tolerance})


def test_every_optimizer_is_here():
    others = {"EMAMomentumSGD", "SharpnessAware"}  # have files of their own
    assert set(CREATE) | others == set(optimizers.__all__)


@every_optimizer
def test_training_stopped_saved_and_continued_equals_training_in_one_go(name, tmp_path):
    model = linear_model(CREATE[name](0.05))
    fit(model, 2)
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    fit(model, 2)
    fit(reloaded, 2)
    assert_same(reloaded.get_weights(), model.get_weights(), rtol=1e-6)


@pytest.mark.parametrize("name", sorted(CREATE))
def test_fit_by_name_lowers_the_loss(name):
    history = fit(linear_model(f"kerasdl>{name}"), 4).history["loss"]
    assert history[-1] < history[0]


@pytest.mark.parametrize("name", ["GradientTransform", "Lookahead", "Prodigy", "ScheduleFreeAdamW"])
def test_a_loss_scale_does_not_matter(name):
    plain, scaled = linear_model(CREATE[name](0.05)), CREATE[name](0.05)
    scaled = linear_model(keras.optimizers.LossScaleOptimizer(scaled, initial_scale=64.0))
    scaled.set_weights(plain.get_weights())
    for model in (plain, scaled):
        fit(model, 2)
    assert_same(scaled.get_weights(), plain.get_weights())


@every_optimizer
def test_a_schedule_and_a_function_of_one_rate_are_that_rate(name):
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([100], [0.05, 1.0])
    expected = run(CREATE[name](0.05))
    assert_same(run(CREATE[name](schedule)), expected)
    assert_same(run(CREATE[name](lambda: 0.05)), expected)


@every_optimizer
def test_the_rate_can_be_set(name):
    optimizer = CREATE[name](1.0)
    optimizer.learning_rate = 0.05
    assert float(ops.convert_to_numpy(optimizer.learning_rate)) == pytest.approx(0.05)
    assert_same(run(optimizer), run(CREATE[name](0.05)))


@every_optimizer
def test_a_weight_without_gradient_stays(name):
    variables = [keras.Variable(KERNEL), keras.Variable(BIAS)]
    optimizer = CREATE[name](0.05)
    for kernel_gradient, _ in GRADIENTS[:2]:
        with pytest.warns(UserWarning, match="Gradients do not exist"):
            optimizer.apply([ops.convert_to_tensor(kernel_gradient), None], variables)
    np.testing.assert_array_equal(ops.convert_to_numpy(variables[1]), BIAS)
    assert not np.allclose(ops.convert_to_numpy(variables[0]), KERNEL)


@pytest.mark.parametrize("name", [name for name in CREATE if name != "GradientTransform"])
def test_an_embedding_row_that_does_not_occur_stays(name):
    embedding = keras.layers.Embedding(4, 2, embeddings_initializer="ones")
    model = keras.Sequential([keras.Input((2,), dtype="int32"), embedding])
    model.compile(optimizer=CREATE[name](0.05), loss="mse")
    model.fit(np.array([[0, 1], [1, 3]]), np.zeros((2, 2, 2)), batch_size=1, epochs=2, verbose=0)
    found = model.get_weights()[0]
    np.testing.assert_array_equal(found[2], 1)
    assert (np.abs(found[[0, 1, 3]] - 1) > 1e-6).all()


@every_optimizer
def test_zero_gradients_leave_finite_weights(name):
    zeros = [[np.zeros((3, 2), "float32"), np.zeros(2, "float32")]] * 3
    assert all(np.isfinite(weight).all() for weight in run(CREATE[name](0.05), zeros))


@every_optimizer
def test_bfloat16_weights_follow_float32_ones(name):
    if name == "GradientTransform":
        pytest.skip("its path crosses the origin of Adam's steps, where rounding decides the sign")
    assert_same(run(CREATE[name](0.05), dtype="bfloat16"), run(CREATE[name](0.05)), atol=0.05)


@every_optimizer
@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX has no float64 by default")
def test_float64_weights_follow_float32_ones(name):
    assert_same(run(CREATE[name](0.05), dtype="float64"), run(CREATE[name](0.05)), atol=1e-5)


REFUSED = [
    ("ADOPT", {"beta_1": 1.0}, r"ADOPT\(beta_1=1.0\): .*\[0, 1\).*default, 0.9"),
    ("AdaBelief", {"epsilon": 0.0}, r"epsilon must be a finite number above 0"),
    ("Adan", {"beta_3": -0.1}, r"beta_3 must lie in \[0, 1\)"),
    ("RAdam", {"beta_2": "0.9"}, r"beta_2 must lie in \[0, 1\)"),
    ("Prodigy", {"distance_scale": float("inf")}, "distance_scale must be a finite number"),
    ("Prodigy", {"initial_distance": 0}, "initial_distance must be a finite number above 0"),
    ("LARS", {"momentum": None}, r"momentum must lie in \[0, 1\)"),
    ("LARS", {"trust_coefficient": -1}, "trust_coefficient must be"),
    ("ScheduleFreeSGD", {"momentum": 0.0}, "momentum must lie between 0 and 1.*Use 0.9"),
    ("ScheduleFreeSGD", {"warmup_steps": 1.5}, "warmup_steps must be an integer of at least 0"),
    ("ScheduleFreeAdamW", {"beta_1": 1}, "beta_1 must lie between 0 and 1"),
    ("ScheduleFreeAdamW", {"use_ema": True}, "use_ema=True.*Leave use_ema out"),
    ("Lookahead", {"k": 0}, "k must be an integer of at least 1"),
    ("Lookahead", {"k": True}, "k must be an integer of at least 1"),
    ("Lookahead", {"alpha": 1.5}, "alpha must be above 0 and at most 1"),
    ("Lookahead", {"inner": "adamant"}, "adamant.*Give an optimizer"),
    ("Lookahead", {"inner": None}, "inner optimizer must be one that moves weights"),
    ("Lookahead", {"learning_rate": 0.1}, "is that of the inner optimizer"),
    ("GradientTransform", {"clip_factor": 0}, "clip_factor must be"),
    ("GradientTransform", {"noise": -1}, "noise must be.*at least 0"),
    ("GradientTransform", {"noise_decay": float("nan")}, "noise_decay must be"),
]


@pytest.mark.parametrize(("name", "settings", "message"), REFUSED)
def test_arguments_out_of_range_are_refused(name, settings, message):
    with pytest.raises(ValueError, match=message):
        getattr(optimizers, name)(**settings)


@pytest.mark.parametrize("name", ["Lookahead", "Prodigy", "GradientTransform"])
def test_several_replicas_are_refused(name):
    class Strategy:
        num_replicas_in_sync = 2

    optimizer = CREATE[name](0.05)
    object.__setattr__(optimizer, "_distribution_strategy", Strategy())
    with pytest.raises(ValueError, match=r"whole gradients.*2 replicas.*one device"):
        optimizer.build([keras.Variable(KERNEL)])
