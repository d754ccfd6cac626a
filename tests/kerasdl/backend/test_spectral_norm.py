import keras
import numpy as np
import pytest

from kerasdl.backend import jit, spectral_norm, vjp
from tests.reference import components

RANDOM = np.random.default_rng(0)
MATRICES = {
    "tall": RANDOM.normal(size=(7, 3)).astype("float32"),
    "wide": RANDOM.normal(size=(3, 8)).astype("float32"),
    "ones": np.ones((6, 6), "float32"),
    "alternating": np.outer([1, -1, 1, -1], [1, -1, 1, -1, 1, -1]).astype("float32"),
    "difference": np.array([[1.0, -1.0], [-1.0, 1.0]], "float32"),
    "one entry": np.eye(5, dtype="float32")[:, 3:4] * np.eye(5, dtype="float32")[2],
    "a row": np.array([[3.0, 4.0]], "float32"),
    "identity": np.eye(4, dtype="float32"),
}
every_matrix = pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES)


def numbers(matrix, iterations=100):
    return [keras.ops.convert_to_numpy(part) for part in spectral_norm(matrix, iterations)]


def gradient(matrix):
    _, pullback = vjp(lambda w: spectral_norm(w, 100)[0], matrix)
    return keras.ops.convert_to_numpy(pullback(keras.ops.convert_to_tensor(1.0)))


def largest(matrix):
    return np.linalg.svd(np.asarray(matrix, "float64"), compute_uv=False)[0]


@every_matrix
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_the_value_is_the_largest_singular_value(matrix, scale):
    sigma, _, _ = numbers(np.float32(scale) * matrix)
    assert sigma == pytest.approx(scale * largest(matrix), rel=1e-5)


@every_matrix
def test_the_vectors_are_unit_and_belong_to_the_value(matrix):
    sigma, u, v = numbers(matrix)
    np.testing.assert_allclose([np.linalg.norm(u), np.linalg.norm(v)], 1, rtol=1e-5)
    np.testing.assert_allclose(matrix @ v, sigma * u, atol=1e-5)
    np.testing.assert_allclose(u @ matrix, sigma * v, atol=2e-3)  # v lags a step behind


@pytest.mark.parametrize("iterations", [1, 3, 10])
def test_the_value_is_never_above_the_true_one_and_grows_with_the_iterations(iterations):
    matrix = MATRICES["tall"]
    sigma, after = (float(numbers(matrix, n)[0]) for n in (iterations, iterations + 1))
    assert sigma <= after * (1 + 1e-6) <= largest(matrix) * (1 + 2e-6)


@pytest.mark.parametrize("name", ["tall", "wide", "ones", "a row"])
def test_the_gradient_equals_finite_differences(name):
    expected = components.finite_differences(largest, MATRICES[name])
    np.testing.assert_allclose(gradient(MATRICES[name]), expected, atol=1e-4)


def test_a_matrix_of_zeros_has_the_value_and_gradient_0():
    zeros = np.zeros((3, 2), "float32")
    assert numbers(zeros)[0] == 0
    np.testing.assert_array_equal(gradient(zeros), zeros)


def test_it_compiles():
    compiled = jit(lambda w: spectral_norm(w, 100)[0])
    matrix = keras.ops.convert_to_tensor(MATRICES["tall"])
    assert float(compiled(matrix)) == pytest.approx(largest(MATRICES["tall"]), rel=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bits_are_computed_in_32(dtype):
    sigma, u, _ = spectral_norm(keras.ops.ones((300, 300), dtype) * 250, 5)
    assert {keras.backend.standardize_dtype(part.dtype) for part in (sigma, u)} == {"float32"}
    assert float(sigma) == pytest.approx(300 * 250, rel=1e-5)  # above the largest float16
