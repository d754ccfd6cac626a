"""What holds for both bounds on a norm."""

import keras
import numpy as np
import pytest

from kerasdl.backend import jit
from kerasdl.constraints import FrobeniusNormConstraint, SpectralNormConstraint
from tests.reference import components

KERNELS = {
    "vector": np.array([0.5, -2.0, 0.0], "float32"),
    "tall": np.random.default_rng(0).normal(size=(40, 9)).astype("float32"),
    "wide": np.random.default_rng(1).normal(size=(9, 60)).astype("float32"),
    "convolution": np.random.default_rng(2).normal(size=(3, 2, 2, 4)).astype("float32"),
    "huge": np.random.default_rng(3).normal(size=(4, 3)).astype("float32") * 1e30,
    "equal singular values": 7 * np.eye(5, dtype="float32"),
    "rank one": np.ones((30, 20), "float32"),
}
NORMS = {
    FrobeniusNormConstraint: lambda w: np.linalg.norm(np.asarray(w, "float64").ravel()),
    SpectralNormConstraint: components.largest_singular_value,
}
ROUNDING = 2e-6  # some units in the last place of float32

every_kernel = pytest.mark.parametrize("weights", KERNELS.values(), ids=KERNELS)
both = pytest.mark.parametrize(("constraint_class", "norm"), NORMS.items())


def apply(constraint, weights):
    return keras.ops.convert_to_numpy(constraint(weights))


@both
@every_kernel
def test_the_norm_is_at_most_the_bound(constraint_class, norm, weights):
    found = apply(constraint_class(0.7), weights)
    assert norm(found) == pytest.approx(0.7, rel=ROUNDING)


@both
@every_kernel
def test_weights_keep_their_direction(constraint_class, norm, weights):
    found = apply(constraint_class(0.7), weights)
    np.testing.assert_allclose(found * (norm(weights) / 0.7), weights, rtol=1e-5)


@both
@every_kernel
def test_applying_it_again_changes_nothing_but_roundings(constraint_class, norm, weights):
    once = apply(constraint_class(0.7), weights)
    np.testing.assert_allclose(apply(constraint_class(0.7), once), once, rtol=ROUNDING)


@both
@every_kernel
def test_weights_within_the_bound_are_left_alone(constraint_class, norm, weights):
    bound = float(norm(weights)) * 1.001
    np.testing.assert_array_equal(apply(constraint_class(bound), weights), weights)


@both
@pytest.mark.parametrize("shape", [(3,), (4, 2), (3, 3, 2, 4)])
def test_zeros_stay_zeros(constraint_class, norm, shape):
    np.testing.assert_array_equal(apply(constraint_class(), np.zeros(shape, "float32")), 0)


@both
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_the_dtype_is_kept(constraint_class, norm, dtype):
    weights = keras.ops.ones((300, 300), dtype) * 200  # its norm is above the largest float16
    found = constraint_class(300.0)(weights)
    assert keras.backend.standardize_dtype(found.dtype) == dtype
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(keras.ops.cast(found, "float32")), 1, rtol=2**-7
    )


@both
@pytest.mark.parametrize("name", ["tall", "wide", "rank one"])
def test_it_holds_when_compiled(constraint_class, norm, name):
    compiled = jit(lambda w: constraint_class(0.7)(w))
    found = keras.ops.convert_to_numpy(compiled(keras.ops.convert_to_tensor(KERNELS[name])))
    assert norm(found) == pytest.approx(0.7, rel=ROUNDING)


@both
def test_it_holds_after_a_fit_and_a_saved_model_keeps_it(constraint_class, norm, tmp_path):
    layers = [keras.layers.Dense(6, kernel_constraint=constraint_class(0.3))]
    layers += [keras.layers.Dense(2, kernel_constraint=f"kerasdl>{constraint_class.__name__}")]
    model = keras.Sequential([keras.Input((12,)), *layers])
    model.compile(keras.optimizers.SGD(1.0), "mse", jit_compile=keras.backend.backend() != "torch")
    model.fit(np.ones((8, 12)), np.ones((8, 2)), batch_size=4, epochs=2, verbose=0)
    assert norm(keras.ops.convert_to_numpy(layers[0].kernel)) == pytest.approx(0.3, rel=ROUNDING)
    assert norm(keras.ops.convert_to_numpy(layers[1].kernel)) <= 1 + ROUNDING
    model.save(tmp_path / "model.keras")
    kept = keras.saving.load_model(tmp_path / "model.keras").layers[0].kernel_constraint
    assert kept.get_config() == layers[0].kernel_constraint.get_config()


@pytest.mark.parametrize("axis", [0, 1, (0, 1, 2), [0, 1]])
def test_the_frobenius_norm_may_be_taken_along_axes(axis):
    weights = KERNELS["convolution"]
    found = apply(FrobeniusNormConstraint(0.7, axis=axis), weights)
    axes = tuple(np.atleast_1d(axis))
    before, after = (np.sqrt((w.astype("float64") ** 2).sum(axis=axes)) for w in (weights, found))
    np.testing.assert_allclose(after, np.minimum(before, 0.7), rtol=ROUNDING)


def test_only_the_columns_above_the_bound_shrink():
    found = apply(FrobeniusNormConstraint(1.0, axis=0), np.array([[3.0, 0.1], [4.0, 0.2]]))
    np.testing.assert_allclose(found, [[0.6, 0.1], [0.8, 0.2]], rtol=1e-6)


@both
@pytest.mark.parametrize("max_value", [0, -1.0, float("inf"), float("nan"), None, "1"])
def test_a_bad_bound_is_refused(constraint_class, norm, max_value):
    with pytest.raises(ValueError, match=r"Constraint\(max_value=.*positive finite number. Give"):
        constraint_class(max_value)


@pytest.mark.parametrize("axis", ["0", 1.5, (), (0, None)])
def test_a_bad_axis_is_refused(axis):
    with pytest.raises(ValueError, match=r"axis=.*must be None, an integer or a tuple"):
        FrobeniusNormConstraint(axis=axis)


def test_the_spectral_norm_of_a_scalar_is_refused():
    with pytest.raises(ValueError, match=r"not a scalar. Use FrobeniusNormConstraint"):
        SpectralNormConstraint()(1.0)
