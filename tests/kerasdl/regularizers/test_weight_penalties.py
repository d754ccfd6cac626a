"""What holds for every penalty on weights, and each one's values against its formula."""

import keras
import numpy as np
import pytest

from kerasdl.backend import jit, vjp
from kerasdl.regularizers import GroupLasso, MixedNorm, SoftOrthogonal, SpectralNormRegularizer
from tests.reference import components

KERNELS = {
    "vector": np.array([0.5, -2.0, 0.0], "float32"),
    "tall": np.random.default_rng(0).normal(size=(5, 4)).astype("float32"),
    "wide": np.random.default_rng(1).normal(size=(2, 6)).astype("float32"),
    "convolution": np.random.default_rng(2).normal(size=(3, 2, 2, 4)).astype("float32"),
}


def spare_columns(weights):
    """How many columns the matrix has too many to be orthonormal."""
    return max(0, weights.shape[-1] - weights.size // weights.shape[-1])


# Each penalty with its formula, factor included.
PENALTIES = {
    "group_lasso": (GroupLasso(0.3), lambda w: 0.3 * components.mixed_norm(w, 2, 1)),
    "spectral_norm": (
        SpectralNormRegularizer(0.3, iterations=200),
        lambda w: 0.15 * components.largest_singular_value(w) ** 2,
    ),
    "soft_orthogonal": (
        SoftOrthogonal(0.3),
        lambda w: 0.3 * (components.soft_orthogonal(w) - spare_columns(w)),
    ),
}

every_kernel = pytest.mark.parametrize("weights", KERNELS.values(), ids=KERNELS)
every_penalty = pytest.mark.parametrize(
    ("regularizer", "formula"), PENALTIES.values(), ids=PENALTIES
)


def value(regularizer, weights):
    return keras.ops.convert_to_numpy(regularizer(weights))


def gradient(regularizer, weights):
    _, pullback = vjp(regularizer, weights)
    return keras.ops.convert_to_numpy(pullback(keras.ops.convert_to_tensor(1.0)))


@every_penalty
@every_kernel
def test_values_equal_the_formula(regularizer, formula, weights):
    assert value(regularizer, weights) == pytest.approx(formula(weights), rel=1e-5)


@every_penalty
@every_kernel
def test_gradients_equal_finite_differences(regularizer, formula, weights):
    expected = components.finite_differences(formula, weights)
    np.testing.assert_allclose(gradient(regularizer, weights), expected, rtol=1e-3, atol=1e-4)


@every_penalty
@pytest.mark.parametrize("shape", [(3,), (2, 3), (3, 3, 2, 4)])
def test_zero_weights_have_the_gradient_0(regularizer, formula, shape):
    zeros = np.zeros(shape, "float32")
    np.testing.assert_array_equal(gradient(regularizer, zeros), zeros)


@every_penalty
def test_it_compiles(regularizer, formula):
    compiled = jit(lambda w: regularizer(w))
    weights = KERNELS["convolution"]
    found = keras.ops.convert_to_numpy(compiled(keras.ops.convert_to_tensor(weights)))
    assert found == pytest.approx(formula(weights), rel=1e-5)


@every_penalty
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bits_keep_their_dtype(regularizer, formula, dtype):
    weights = keras.ops.cast(KERNELS["tall"], dtype)
    found = regularizer(weights)
    assert keras.backend.standardize_dtype(found.dtype) == dtype
    assert float(found) == pytest.approx(formula(KERNELS["tall"]), rel=0.03)


@every_penalty
def test_a_fit_takes_its_name_and_a_saved_model_keeps_every_argument(
    regularizer, formula, tmp_path
):
    name = f"kerasdl>{type(regularizer).__name__}"
    layers = [keras.layers.Dense(4, kernel_regularizer=name)]
    layers += [keras.layers.Dense(2, kernel_regularizer=regularizer)]
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    kept = reloaded.layers[1].kernel_regularizer
    assert kept.get_config() == regularizer.get_config()
    for before, after in zip(model.losses, reloaded.losses, strict=True):
        assert keras.ops.convert_to_numpy(before) == keras.ops.convert_to_numpy(after)


@every_kernel
@pytest.mark.parametrize("axis", [0, -1])
def test_a_group_lasso_is_a_mixed_norm(weights, axis):
    mixed = MixedNorm(0.2, p=2, q=1, axis=axis)
    assert value(GroupLasso(0.2, axis), weights) == value(mixed, weights)


def test_a_group_lasso_counts_the_lengths_of_the_columns():
    assert value(GroupLasso(1.0), [[3.0, 0.0], [4.0, 2.0]]) == pytest.approx(5 + 2)


def test_a_group_lasso_empties_a_group_that_nothing_else_holds():
    dense = keras.layers.Dense(2, use_bias=False, kernel_regularizer=GroupLasso(0.1))
    model = keras.Sequential([keras.Input((3,)), dense])
    model.compile(keras.optimizers.SGD(0.05), "mse")
    x = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
    y = np.stack([x[:, 0], np.zeros(32)], axis=1)
    model.fit(x, y, epochs=100, batch_size=32, verbose=0)
    lengths = np.linalg.norm(keras.ops.convert_to_numpy(dense.kernel), axis=0)
    assert lengths[1] < 0.02 < 0.5 < lengths[0]


def test_few_iterations_make_the_spectral_norm_too_small():
    found = [value(SpectralNormRegularizer(1.0, n), KERNELS["tall"]) for n in (1, 2, 100)]
    assert found == sorted(found)


def test_orthonormal_filters_cost_nothing():
    orthogonal, _ = np.linalg.qr(KERNELS["tall"])
    assert value(SoftOrthogonal(1.0), orthogonal) == pytest.approx(0, abs=1e-10)
    assert value(SoftOrthogonal(1.0), orthogonal.T) == pytest.approx(0, abs=1e-10)
    assert value(SoftOrthogonal(1.0), 2 * orthogonal) == pytest.approx(4 * 3**2)


@every_penalty
@pytest.mark.parametrize("factor", [-0.1, float("nan"), None, "1"])
def test_a_bad_factor_is_refused(regularizer, formula, factor):
    name = type(regularizer).__name__
    with pytest.raises(ValueError, match=rf"{name}\(factor=.*at least 0. The default is 0.01"):
        type(regularizer)(factor)


@pytest.mark.parametrize("iterations", [0, 1.5, None])
def test_bad_iterations_are_refused(iterations):
    with pytest.raises(ValueError, match=r"iterations=.*integer of at least 1. The default is 20"):
        SpectralNormRegularizer(iterations=iterations)


def test_a_bad_axis_is_refused_in_the_name_of_the_group_lasso():
    with pytest.raises(ValueError, match=r"GroupLasso\(axis=None\): axis must be an integer"):
        GroupLasso(axis=None)


@pytest.mark.parametrize("regularizer", [SoftOrthogonal(), SpectralNormRegularizer()])
def test_a_scalar_is_refused(regularizer):
    with pytest.raises(ValueError, match=r"not a scalar. Use keras.regularizers.L2"):
        regularizer(1.0)
