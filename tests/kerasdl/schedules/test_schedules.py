"""What holds for every schedule, and each one's values against its formula."""

import keras
import numpy as np
import pytest

from kerasdl import schedules
from kerasdl.backend import jit
from tests.reference import schedules as reference

STEPS = [0, 1, 9, 10, 11, 30, 49, 50, 75, 99, 100, 101, 5000]
D_MODEL, WARMUP = 512, 40

# Each schedule with a function of the step that gives its rates.
CASES = {
    "robbins_monro": (
        schedules.RobbinsMonro(0.3, decay_steps=7, power=0.75),
        lambda step: reference.robbins_monro(step, 0.3, 7, 0.75),
    ),
    "linear_warmup": (
        schedules.LinearWarmup(0.2, warmup_steps=10, start=0.05),
        lambda step: reference.linear_warmup(step, lambda _: 0.2, 10, 0.05),
    ),
    "linear_warmup_of_a_schedule": (
        schedules.LinearWarmup(schedules.RobbinsMonro(0.3, 7, 0.75), warmup_steps=10),
        lambda step: reference.linear_warmup(
            step, lambda late: reference.robbins_monro(late, 0.3, 7, 0.75), 10, 0.0
        ),
    ),
    "one_cycle": (
        schedules.OneCycle(0.5, 100, 0.3, 20, 1000),
        lambda step: reference.one_cycle(step, 0.5, 100, 0.3, 20, 1000),
    ),
    **{
        mode: (
            schedules.Cyclical(0.01, 0.5, 10, mode, 0.97),
            lambda step, mode=mode: reference.cyclical(step, 0.01, 0.5, 10, mode, 0.97),
        )
        for mode in ("triangular", "triangular2", "exp_range")
    },
    **{
        f"warmup_stable_decay_{shape}": (
            schedules.WarmupStableDecay(0.5, 10, 40, 50, 0.01, shape=shape),
            lambda step, shape=shape: reference.warmup_stable_decay(
                step, 0.5, 10, 40, 50, 0.01, shape
            ),
        )
        for shape in ("linear", "sqrt")
    },
    "inverse_sqrt": (
        schedules.InverseSqrt((D_MODEL * WARMUP) ** -0.5, WARMUP),
        lambda step: reference.inverse_sqrt(step, D_MODEL, WARMUP),
    ),
}
CLASSES = [getattr(schedules, name) for name in schedules.__all__]

every_case = pytest.mark.parametrize(("schedule", "expected"), CASES.values(), ids=CASES)
every_class = pytest.mark.parametrize("schedule_class", CLASSES)


def rates(schedule, steps=STEPS):
    return np.array([keras.ops.convert_to_numpy(schedule(step)) for step in steps])


@every_case
def test_values_equal_the_formula(schedule, expected):
    # sin(pi) is 1e-7 in float32, but the last rate of a cycle is 2.5e-5.
    np.testing.assert_allclose(rates(schedule), [expected(s) for s in STEPS], rtol=2e-5, atol=1e-9)


@every_case
@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "uint8"])
def test_steps_of_any_dtype_give_the_same_float32_rates(schedule, expected, dtype):
    if dtype == "int64" and keras.backend.backend() == "jax":
        pytest.skip("JAX has no int64 by default")
    for step in (0, 11, 75):
        rate = schedule(keras.ops.convert_to_tensor(step, dtype=dtype))
        assert keras.backend.standardize_dtype(rate.dtype) == "float32"
        assert float(rate) == float(schedule(step))


@every_case
def test_traced_rates_equal_eager_ones(schedule, expected):
    compiled = jit(lambda step: schedule(step))
    traced = [float(compiled(keras.ops.convert_to_tensor(step, "int32"))) for step in STEPS]
    np.testing.assert_allclose(traced, rates(schedule), rtol=2e-6, atol=1e-12)  # fused operations


@every_case
def test_an_optimizer_steps_at_its_rates_and_a_saved_one_keeps_it(schedule, expected):
    optimizer = keras.optimizers.SGD(schedule)
    config = keras.saving.serialize_keras_object(optimizer)
    optimizer = keras.saving.deserialize_keras_object(config)
    assert type(optimizer._learning_rate) is type(schedule)
    np.testing.assert_array_equal(rates(optimizer._learning_rate), rates(schedule))
    variable = keras.Variable(0.0)
    optimizer.build([variable])
    for _ in range(3):
        optimizer.apply([keras.ops.ones(())], [variable])
    assert keras.ops.convert_to_numpy(variable) == pytest.approx(
        -sum(map(expected, range(3))), rel=1e-5
    )


@every_class
def test_the_defaults_are_valid_and_in_the_config(schedule_class):
    schedule = schedule_class()
    assert rates(schedule, [0, 10**6]).min() >= 0
    rebuilt = schedule_class.from_config(schedule.get_config())
    assert rebuilt.get_config() == schedule.get_config()


def test_a_fit_takes_a_schedule_under_jit():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    rate = schedules.LinearWarmup(schedules.OneCycle(0.1, 10), warmup_steps=2)
    model.compile(keras.optimizers.SGD(rate), "mse")
    model.fit(np.ones((8, 2)), np.ones((8, 1)), batch_size=4, epochs=2, verbose=0)
    assert float(model.optimizer.learning_rate) == pytest.approx(float(rate(4)))


def test_robbins_monro_sums_diverge_and_their_squares_converge():
    """The tail from n to 2 n does not vanish; that of the squares does."""
    found = rates(schedules.RobbinsMonro(1.0, 1, 0.6), range(4096))
    tails = [found[n : 2 * n].sum() for n in (128, 512, 2048)]
    squares = [(found[n : 2 * n] ** 2).sum() for n in (128, 512, 2048)]
    assert tails == sorted(tails)
    assert squares == sorted(squares, reverse=True)


def test_a_warmup_is_continuous_where_it_ends():
    schedule = schedules.LinearWarmup(schedules.RobbinsMonro(0.3), warmup_steps=1000)
    assert float(schedule(999)) == pytest.approx(float(schedule(1000)), rel=2e-3)
    assert float(schedule(1000)) == pytest.approx(0.3)


def test_one_cycle_may_be_linear():
    schedule = schedules.OneCycle(1.0, 100, 0.5, 10, 10, shape="linear")
    np.testing.assert_allclose(rates(schedule, [0, 25, 50, 75, 100]), [0.1, 0.55, 1, 0.505, 0.01])


def test_a_cycle_is_exact_after_a_million_steps():
    schedule = schedules.Cyclical(0.0, 1.0, 3)
    start = 6 * 2_000_001
    np.testing.assert_allclose(
        rates(schedule, range(start, start + 6)), [0, 1 / 3, 2 / 3, 1, 2 / 3, 1 / 3], atol=1e-6
    )


def test_a_warmup_of_no_steps_starts_at_the_plateau():
    assert float(schedules.WarmupStableDecay(0.5, warmup_steps=0)(0)) == 0.5


BAD = [
    (schedules.RobbinsMonro, {"power": 0.5}, r"RobbinsMonro\(power=0.5\).*\(0.5, 1\]"),
    (schedules.RobbinsMonro, {"power": 1.01}, r"power must lie"),
    (schedules.RobbinsMonro, {"decay_steps": 0}, r"an integer of at least 1"),
    (schedules.RobbinsMonro, {"initial_learning_rate": 0}, r"finite and positive"),
    (schedules.LinearWarmup, {"start": -0.1}, r"finite and at least 0"),
    (schedules.LinearWarmup, {"warmup_steps": 2.5}, r"LinearWarmup\(warmup_steps=2.5\)"),
    (schedules.LinearWarmup, {"inner": float("nan")}, r"LinearWarmup\(inner=nan\)"),
    (schedules.OneCycle, {"warmup_fraction": 1.0}, r"OneCycle\(warmup_fraction=1.0\)"),
    (schedules.OneCycle, {"division": 1}, r"division must lie"),
    (schedules.OneCycle, {"shape": "cubic"}, r"one of 'cosine', 'linear'"),
    (schedules.Cyclical, {"max_learning_rate": 1e-4}, r"above min_learning_rate.*Exchange"),
    (schedules.Cyclical, {"mode": "square"}, r"'triangular', 'triangular2', 'exp_range'"),
    (schedules.Cyclical, {"decay": 0}, r"decay must lie in \(0, 1\]"),
    (schedules.WarmupStableDecay, {"final_learning_rate": 1.0}, r"at most learning_rate"),
    (schedules.WarmupStableDecay, {"shape": "cosine"}, r"one of 'linear', 'sqrt'"),
    (schedules.InverseSqrt, {"warmup_steps": True}, r"an integer of at least 1"),
]


@pytest.mark.parametrize(("schedule_class", "arguments", "message"), BAD)
def test_a_bad_argument_is_refused(schedule_class, arguments, message):
    with pytest.raises(ValueError, match=message):
        schedule_class(**arguments)


@pytest.mark.parametrize("inner", ["RobbinsMonro", None, lambda: 0.1])
def test_a_warmup_of_neither_number_nor_schedule_is_refused(inner):
    with pytest.raises(TypeError, match=r"LinearWarmup\(inner=.*a number or a LearningRateSch"):
        schedules.LinearWarmup(inner)
