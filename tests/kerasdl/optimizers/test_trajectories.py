"""Every optimizer's path equals that of its formula in NumPy, in steps and in `fit`."""

import keras
import numpy as np
import pytest

from kerasdl import optimizers
from tests.reference import optimizers as reference

STEPS = 20
RANDOM = np.random.default_rng(0)
SHAPES = (2, 3), (3,), (2, 2, 2, 3)
WEIGHTS = [RANDOM.normal(size=shape).astype("float32") for shape in SHAPES]
GRADIENTS = [
    [RANDOM.normal(size=shape).astype("float32") for shape in SHAPES] for _ in range(STEPS)
]
X = RANDOM.normal(size=(8, 3)).astype("float32")
Y = (X @ np.array([[1.0, 0.5], [-2.0, 0.0], [0.5, 3.0]]) + 0.3).astype("float32")


def schedule_free(kind):
    """Returns the weights of training or, for `fit`, the averaged ones."""
    return lambda *given, fitted=False, **settings: reference.schedule_free(*given, **settings)[
        fitted
    ]


CASES = {  # an optimizer, its reference and the reference's settings
    "RAdam": (lambda: optimizers.RAdam(0.01), reference.radam, {"rate": 0.01}),
    "RAdam, short": (
        lambda: optimizers.RAdam(0.01, 0.5, 0.9),
        reference.radam,
        {"rate": 0.01, "beta_1": 0.5, "beta_2": 0.9},
    ),
    "RAdam, never adaptive": (
        lambda: optimizers.RAdam(0.01, beta_2=0.5),
        reference.radam,
        {"rate": 0.01, "beta_2": 0.5},
    ),
    "AdaBelief": (lambda: optimizers.AdaBelief(0.01), reference.ada_belief, {"rate": 0.01}),
    "AdaBelief, large epsilon": (
        lambda: optimizers.AdaBelief(0.01, 0.8, 0.9, 1e-3),
        reference.ada_belief,
        {"rate": 0.01, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3},
    ),
    "Adan": (lambda: optimizers.Adan(0.01), reference.adan, {"rate": 0.01}),
    "Adan, decaying": (
        lambda: optimizers.Adan(0.01, 0.9, 0.8, 0.7, weight_decay=0.5),
        reference.adan,
        {"rate": 0.01, "betas": (0.9, 0.8, 0.7), "decay": 0.5},
    ),
    "ADOPT": (lambda: optimizers.ADOPT(0.01), reference.adopt, {"rate": 0.01}),
    "ADOPT, short": (
        lambda: optimizers.ADOPT(0.1, 0.5, 0.9, 0.5),
        reference.adopt,
        {"rate": 0.1, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 0.5},
    ),
    "Prodigy": (lambda: optimizers.Prodigy(), reference.prodigy, {}),
    "Prodigy, decaying": (
        lambda: optimizers.Prodigy(
            0.5, 0.8, 0.9, distance_scale=2.0, initial_distance=0.05, weight_decay=0.1
        ),
        reference.prodigy,
        {"rate": 0.5, "betas": (0.8, 0.9), "scale": 2.0, "d": 0.05, "decay": 0.1},
    ),
    "LARS": (
        lambda: optimizers.LARS(2.0, 0.5, 0.02),
        reference.lars,
        {"rate": 2.0, "momentum": 0.5, "trust": 0.02},
    ),
    "LARS, decaying": (
        lambda: optimizers.LARS(weight_decay=0.1),
        reference.lars,
        {"rate": 0.1, "trust": 0.01, "decay": 0.1},
    ),
    "ScheduleFreeSGD": (
        lambda: optimizers.ScheduleFreeSGD(0.1),
        schedule_free("sgd"),
        {"rate": 0.1},
    ),
    "ScheduleFreeSGD, warm": (
        lambda: optimizers.ScheduleFreeSGD(0.1, 0.7, 10, weight_decay=0.1),
        schedule_free("sgd"),
        {"rate": 0.1, "interpolation": 0.7, "warmup": 10, "decay": 0.1},
    ),
    "ScheduleFreeAdamW": (
        lambda: optimizers.ScheduleFreeAdamW(0.01),
        schedule_free("adam"),
        {"rate": 0.01, "beta_2": 0.999},
    ),
    "ScheduleFreeAdamW, warm": (
        lambda: optimizers.ScheduleFreeAdamW(0.01, 0.8, 0.9, warmup_steps=10, weight_decay=0.1),
        schedule_free("adam"),
        {"rate": 0.01, "interpolation": 0.8, "beta_2": 0.9, "warmup": 10, "decay": 0.1},
    ),
    "Lookahead": (
        lambda: optimizers.Lookahead(keras.optimizers.SGD(0.1), k=3, alpha=0.3),
        reference.lookahead_sgd,
        {"k": 3, "alpha": 0.3},
    ),
    "GradientTransform": (
        lambda: optimizers.GradientTransform(keras.optimizers.SGD(0.1), True, 0.1),
        reference.centralized_clipped_sgd,
        {"clip_factor": 0.1},
    ),
}
# A first distance of 1e-6 is 16 roundings of a float32 weight of size 1: Prodigy multiplies them.
FITTED = [name for name in CASES if "," not in name and name != "Prodigy"]
FITTED += ["Prodigy, decaying", "ScheduleFreeSGD, warm", "ScheduleFreeAdamW, warm"]


@pytest.mark.parametrize("name", CASES)
def test_20_steps_equal_the_formula(name):
    create, expected, settings = CASES[name]
    path = expected(WEIGHTS, lambda weights, t: GRADIENTS[t], STEPS, **settings)
    variables = [keras.Variable(weight) for weight in WEIGHTS]
    optimizer = create()
    for gradients, wanted in zip(GRADIENTS, path, strict=True):
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], variables)
        for variable, weight in zip(variables, wanted, strict=True):
            found = keras.ops.convert_to_numpy(variable)
            np.testing.assert_allclose(found, weight, rtol=2e-5, atol=2e-6)  # float32 of size 1


@pytest.mark.parametrize("name", FITTED)
def test_fit_equals_the_formula(name):
    create, expected, settings = CASES[name]
    dense = keras.layers.Dense(2, bias_initializer="ones")
    model = keras.Sequential([keras.Input((3,)), dense])
    model.compile(optimizer=create(), loss="mse")
    start = model.get_weights()
    fitted = {"fitted": True} if "Free" in name else {}
    path = expected(start, mse_gradients, STEPS, **settings, **fitted)
    model.fit(X, Y, batch_size=8, epochs=STEPS, verbose=0)
    for found, wanted in zip(model.get_weights(), path[-1], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=5e-5, atol=5e-6)  # errors add up


def mse_gradients(weights, step):
    kernel, bias = weights
    residual = 2 * (X @ kernel + bias - Y) / Y.size
    return [X.T @ residual, residual.sum(axis=0)]


@pytest.mark.parametrize("step", [*range(1, 12), 99, 100, 101, 5000])
@pytest.mark.parametrize("decay", [0.9, 0.999, 0.9999])
def test_radam_knows_the_length_of_its_average_to_float32(decay, step):
    from kerasdl.optimizers.radam import _length

    exact = 2 / (1 - decay) - 1 - 2 * step * decay**step / (1 - decay**step)
    found = keras.ops.convert_to_numpy(_length(decay, keras.ops.cast(step, "float32")))
    np.testing.assert_allclose(found, exact, rtol=1e-5)
