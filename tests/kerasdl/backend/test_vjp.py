"""Gradients and compilation, the same on every backend."""

import keras
import numpy as np
import pytest
from keras import ops

from kerasdl.backend import jit, preserved_randomness, vjp, with_gradient


@pytest.fixture
def float64():
    """Lets arrays keep float64, which JAX truncates otherwise."""
    if keras.backend.backend() != "jax":
        yield
        return
    import jax

    with jax.enable_x64(True):
        yield


def network(x):
    """A rational network: `keras.ops` computes in float32 at most on JAX and torch."""
    kernel = ops.convert_to_tensor(np.linspace(-1.0, 1.0, 12).reshape(3, 4), dtype=x.dtype)
    hidden = x @ kernel
    hidden = hidden / (1 + hidden * hidden)
    return ((hidden * hidden * hidden + hidden) @ ops.ones((4, 1), dtype=x.dtype))[:, 0]


def branching(inputs):
    return {"sum": inputs[0] * inputs[1], "difference": ops.square(inputs[0] - inputs[1])}


def finite_differences(function, x, cotangent, step=1e-6):
    gradient = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        ahead, behind = x.copy(), x.copy()
        ahead[index] += step
        behind[index] -= step
        change = ops.convert_to_numpy(function(ops.convert_to_tensor(ahead, dtype=x.dtype)))
        change = change - ops.convert_to_numpy(
            function(ops.convert_to_tensor(behind, dtype=x.dtype))
        )
        gradient[index] = np.sum(change * cotangent) / (2 * step)
    return gradient


@pytest.mark.parametrize("compiled", [False, True])
def test_vjp_equals_finite_differences_in_float64(float64, compiled):
    x = np.random.default_rng(0).normal(size=(5, 3))
    cotangent = np.arange(1.0, 6.0)

    def gradient(x):
        _, pullback = vjp(network, x)
        return pullback(ops.convert_to_tensor(cotangent, dtype="float64"))

    gradient = jit(gradient) if compiled else gradient
    result = ops.convert_to_numpy(gradient(ops.convert_to_tensor(x, dtype="float64")))
    assert result.dtype == "float64"
    # Central differences with a step of 1e-6 are exact to about 1e-9 in float64.
    np.testing.assert_allclose(result, finite_differences(network, x, cotangent), atol=1e-8)


def test_vjp_returns_the_value_and_keeps_structures():
    a, b = np.array([2.0, 3.0], "float32"), np.array([5.0, 7.0], "float32")
    outputs, pullback = vjp(branching, [a, b])
    np.testing.assert_allclose(ops.convert_to_numpy(outputs["sum"]), a * b)
    gradients = pullback({"sum": ops.ones(2), "difference": ops.zeros(2)})
    np.testing.assert_allclose(ops.convert_to_numpy(gradients[0]), b)
    np.testing.assert_allclose(ops.convert_to_numpy(gradients[1]), a)


@pytest.mark.parametrize(
    "function",
    [lambda x: ops.stop_gradient(x) * 2, lambda x: ops.ones(3), lambda x: ops.round(x) * 0.0],
)
def test_vjp_of_a_function_without_a_gradient_path_is_zero(function):
    _, pullback = vjp(function, np.arange(3.0, dtype="float32"))
    assert not np.any(ops.convert_to_numpy(pullback(ops.ones(3))))


def steered(x, y):
    """Returns `x * y`, whose gradient goes twice to `x` and, where `x` is positive, to `y`."""

    def gradients(given, positive, twice):
        return [given * twice, ops.where(positive, given, 0)]

    return with_gradient(x * y, gradients, [x > 0, 2 * ops.ones_like(x)], [x, y])


def over_time(x, y):
    """Returns the sum of steered steps in a loop that frameworks compile as one."""
    _, sums = ops.scan(lambda total, pair: (total, steered(*pair)), ops.zeros(()), (x, y))
    return sums


@pytest.mark.parametrize("function", [steered, over_time])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_value_gets_the_gradients_it_is_given(function, compiled):
    def values_and_gradients(x, y):
        value, pullback = vjp(lambda pair: function(*pair) + pair[1], [x, y])
        return value, *pullback(3 * ops.ones_like(value))

    run = jit(values_and_gradients) if compiled else values_and_gradients
    x, y = np.array([-1.0, 0.0, 2.0], "float32"), np.array([5.0, 7.0, 11.0], "float32")
    results = run(ops.convert_to_tensor(x), ops.convert_to_tensor(y))
    value, for_x, for_y = map(ops.convert_to_numpy, results)
    np.testing.assert_array_equal(value, x * y + y)
    np.testing.assert_array_equal(for_x, [6, 6, 6])
    np.testing.assert_array_equal(for_y, [3, 3, 6])


def test_jit_equals_the_plain_function_on_every_batch_size():
    compiled = jit(network)
    for batch in (1, 4, 2):
        x = ops.convert_to_tensor(np.random.default_rng(batch).normal(size=(batch, 3)), "float32")
        np.testing.assert_allclose(
            ops.convert_to_numpy(compiled(x)), ops.convert_to_numpy(network(x)), rtol=1e-5
        )


def test_jit_of_many_closures_warns_of_nothing(caplog):
    def scaled(factor):
        return lambda x: x * factor

    for factor in range(12):
        jit(scaled(factor))(ops.ones(3))
    assert not caplog.records


def test_jit_sees_new_values_of_the_variables():
    layer = keras.layers.Dense(1, kernel_initializer="ones")
    layer.build((None, 2))
    compiled = jit(layer.call, layer.variables)
    x = ops.ones((1, 2))
    assert float(ops.convert_to_numpy(compiled(x))[0, 0]) == 2.0
    layer.kernel.assign(3 * np.ones((2, 1)))
    assert float(ops.convert_to_numpy(compiled(x))[0, 0]) == 6.0


def test_jit_takes_variables_as_arguments_on_jax():
    """A constant of a model's size in the program would be copied and compiled anew each time."""
    if keras.backend.backend() != "jax":
        pytest.skip("concerns JAX")
    import jax

    layer = keras.layers.Dense(64)
    layer.build((None, 64))
    compiled = jit(layer.call, layer.variables)
    program = jax.make_jaxpr(compiled)(np.ones((1, 64), "float32"))
    (inner,) = [equation for equation in program.eqns if "jaxpr" in equation.params]
    assert not any(np.size(constant) > 1 for constant in inner.params["jaxpr"].consts)
    assert (64, 64) in [variable.aval.shape for variable in inner.invars]


def test_preserved_randomness_leaves_the_next_numbers_as_they_were():
    dropout = keras.layers.Dropout(0.5)
    drawn = []
    for inner in (False, True):
        keras.utils.set_random_seed(0)
        if inner:
            with preserved_randomness(), keras.StatelessScope():
                dropout(ops.ones((1, 40)), training=True)
        dropout.seed_generator.state.assign(np.zeros(2, "uint32"))
        drawn.append(ops.convert_to_numpy(dropout(ops.ones((1, 40)), training=True)))
    np.testing.assert_array_equal(*drawn)
