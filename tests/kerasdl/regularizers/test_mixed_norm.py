import keras
import numpy as np
import pytest

from kerasdl.backend import vjp
from kerasdl.regularizers import MixedNorm
from tests.reference import components

KERNELS = {
    "vector": np.array([0.5, -2.0, 0.0], "float32"),
    "matrix": np.random.default_rng(0).normal(size=(5, 4)).astype("float32"),
    "convolution": np.random.default_rng(1).normal(size=(3, 2, 2, 4)).astype("float32"),
    "zero column": np.array([[0.0, 1.0], [0.0, -3.0]], "float32"),
    "tie": np.array([[1.0, 1.0], [-1.0, 1.0]], "float32"),
}
ORDERS = [(1, 2), (2, 1), (1, 1), (2, 2), (1.5, 3), (4, 1.25)]

every_kernel = pytest.mark.parametrize("weights", KERNELS.values(), ids=KERNELS)
every_order = pytest.mark.parametrize(("p", "q"), ORDERS)


def penalty(weights, **settings):
    return keras.ops.convert_to_numpy(MixedNorm(**{"factor": 1.0, **settings})(weights))


def gradient(weights, p, q):
    _, pullback = vjp(MixedNorm(1.0, p, q), weights)
    return keras.ops.convert_to_numpy(pullback(keras.ops.convert_to_tensor(1.0)))


@every_kernel
@every_order
@pytest.mark.parametrize("scale", [1e-30, -0.5, 1e30])
def test_it_is_homogeneous_of_degree_1(weights, p, q, scale):
    scaled = penalty(np.float32(scale) * weights, p=p, q=q)
    np.testing.assert_allclose(scaled, abs(scale) * penalty(weights, p=p, q=q), rtol=1e-5)


@every_order
def test_the_triangle_inequality_holds(p, q):
    a, b = KERNELS["matrix"], np.roll(KERNELS["matrix"], 1, axis=0)
    assert penalty(a + b, p=p, q=q) <= penalty(a, p=p, q=q) + penalty(b, p=p, q=q)


@every_order
@pytest.mark.parametrize("shape", [(3,), (2, 3), (3, 3, 2, 4)])
def test_zero_weights_cost_nothing_and_have_the_gradient_0(shape, p, q):
    zeros = np.zeros(shape, "float32")
    assert penalty(zeros, p=p, q=q) == 0
    np.testing.assert_array_equal(gradient(zeros, p, q), zeros)


@every_kernel
def test_equal_orders_give_the_norm_of_all_weights(weights):
    assert penalty(weights, p=2, q=2) == pytest.approx(np.linalg.norm(weights.ravel()), rel=1e-6)
    assert penalty(weights, p=1, q=1) == pytest.approx(np.abs(weights).sum(), rel=1e-6)


@every_kernel
def test_the_default_is_at_most_the_root_of_the_group_size_times_the_frobenius_norm(weights):
    size = weights.size / weights.shape[-1]
    assert penalty(weights) <= np.sqrt(size) * np.linalg.norm(weights.ravel()) * (1 + 1e-6)


def test_the_group_lasso_counts_the_lengths_of_the_columns():
    assert penalty([[3.0, 0.0], [4.0, 2.0]], p=2, q=1) == pytest.approx(5 + 2)


def test_the_exclusive_lasso_prefers_one_weight_per_group():
    same_group, different_groups = [[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]
    assert penalty(same_group) == pytest.approx(2)
    assert penalty(different_groups) == pytest.approx(np.sqrt(2))


@every_kernel
@every_order
def test_values_equal_the_formula(weights, p, q):
    expected = 0.3 * components.mixed_norm(weights, p, q)
    assert penalty(weights, factor=0.3, p=p, q=q) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2, 3, -2])
def test_groups_lie_along_the_axis(axis):
    kernel = KERNELS["convolution"]
    expected = components.mixed_norm(kernel, 1, 2, axis)
    assert penalty(kernel, axis=axis) == pytest.approx(expected, rel=1e-5)


def test_several_axes_make_a_group_of_each_combination():
    kernel = KERNELS["convolution"]
    expected = components.mixed_norm(kernel.reshape(3, 2, 8), 1, 2)
    assert penalty(kernel, axis=(-2, -1)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kernel", ["matrix", "convolution"])
@every_order
def test_gradients_equal_finite_differences(kernel, p, q):
    weights = KERNELS[kernel]
    expected = components.finite_differences(lambda w: components.mixed_norm(w, p, q), weights)
    np.testing.assert_allclose(gradient(weights, p, q), expected, rtol=1e-4, atol=1e-5)


@every_order
def test_a_zero_group_has_the_gradient_0_beside_one_that_is_not(p, q):
    found = gradient(KERNELS["zero column"], p, q)
    np.testing.assert_array_equal(found[:, 0], 0)
    expected = components.finite_differences(
        lambda w: components.mixed_norm(w, p, q), KERNELS["zero column"][:, 1:]
    )
    np.testing.assert_allclose(found[:, 1:], expected, rtol=1e-4)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bits_neither_overflow_nor_lose_their_dtype(dtype):
    weights = keras.ops.convert_to_tensor([[1e-4, 300.0], [2e-4, 400.0]], dtype=dtype)
    found = MixedNorm(1.0, p=2, q=1)(weights)
    assert keras.backend.standardize_dtype(found.dtype) == dtype
    assert float(found) == pytest.approx(500, rel=2**-7)


def test_the_gradient_of_a_small_group_does_not_underflow_in_float16():
    weights = keras.ops.convert_to_tensor([[1e-4, 300.0], [2e-4, 400.0]], dtype="float16")
    _, pullback = vjp(MixedNorm(1.0, p=2, q=1), weights)
    found = keras.ops.convert_to_numpy(pullback(keras.ops.ones((), "float16")))
    expected = [[1 / np.sqrt(5), 0.6], [2 / np.sqrt(5), 0.8]]
    np.testing.assert_allclose(found, expected, rtol=2**-6)  # 1e-4 has 7 bits left in float16


@pytest.mark.parametrize(
    ("layer_class", "size"), [(keras.layers.Dense, ()), (keras.layers.Conv2D, (3,))]
)
def test_a_layer_takes_its_name_and_adds_the_penalty_to_its_losses(layer_class, size):
    layer = layer_class(4, *size, kernel_regularizer="kerasdl>MixedNorm")
    layer.build((None, 8, 8, 2))
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    expected = 0.01 * components.mixed_norm(kernel, 1, 2)
    assert keras.ops.convert_to_numpy(layer.losses[0]) == pytest.approx(expected, rel=1e-5)


def test_it_regularizes_activities():
    dense = keras.layers.Dense(4, activity_regularizer=MixedNorm(1.0))
    model = keras.Sequential([keras.Input((5,)), dense])
    y = keras.ops.convert_to_numpy(model(np.ones((3, 5), "float32")))
    expected = components.mixed_norm(y, 1, 2) / 3  # Keras divides by the batch size
    assert keras.ops.convert_to_numpy(model.losses[0]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("axis", [0, (0, -1)])
def test_a_saved_model_keeps_every_argument(tmp_path, axis):
    regularizer = MixedNorm(0.5, p=1.5, q=3, axis=axis)
    dense = keras.layers.Dense(2, kernel_regularizer=regularizer)
    model = keras.Sequential([keras.Input((3,)), dense])
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    config = reloaded.layers[0].kernel_regularizer.get_config()
    assert config == {"factor": 0.5, "p": 1.5, "q": 3.0, "axis": axis}
    before, after = (keras.ops.convert_to_numpy(m.losses[0]) for m in (model, reloaded))
    assert after == before


@pytest.mark.parametrize("argument", ["factor", "p", "q"])
@pytest.mark.parametrize("value", [-0.5, float("nan"), float("inf"), None, "1"])
def test_an_order_below_1_or_a_negative_factor_is_refused(argument, value):
    with pytest.raises(ValueError, match=rf"MixedNorm\({argument}=.*at least [01]. The default is"):
        MixedNorm(**{argument: value})


@pytest.mark.parametrize("axis", [None, 1.5, "-1", (), (0, None)])
def test_an_axis_that_is_no_integer_is_refused(axis):
    with pytest.raises(ValueError, match=r"MixedNorm\(axis=.*must be an integer or a tuple"):
        MixedNorm(axis=axis)


@pytest.mark.parametrize("axis", [2, -3, (0, -2)])
def test_a_weight_without_the_axis_is_refused(axis):
    with pytest.raises(ValueError, match=r"shape \(5, 4\): give different axes from -2 to 1"):
        MixedNorm(axis=axis)(KERNELS["matrix"])
