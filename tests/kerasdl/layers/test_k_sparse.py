import keras
import numpy as np
import pytest

from kerasdl.backend import jit, vjp
from kerasdl.layers import KSparse
from tests.reference import layers

X = np.random.default_rng(0).normal(size=(4, 3, 7)).astype("float32")
TIES = np.array([[1, 2, 2, 2, 0, 2], [0, 0, 0, 0, 0, 0], [-1, -1, -3, -1, -1, -1]], "float32")


def numpy(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


@pytest.mark.parametrize("k", [1, 2, 6, 7])
def test_values_equal_the_formula(k):
    np.testing.assert_array_equal(numpy(KSparse(k)(X)), layers.k_sparse(X, k))


@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_of_equal_activations_the_first_are_kept(k, dtype):
    found, pullback = vjp(KSparse(k, dtype=dtype), keras.ops.cast(TIES, dtype))
    np.testing.assert_array_equal(numpy(found), layers.k_sparse(TIES, k))
    kept = numpy(pullback(keras.ops.ones(TIES.shape, dtype)))
    np.testing.assert_array_equal(kept.sum(axis=-1), k)


def test_the_largest_are_those_of_the_largest_value_not_magnitude():
    np.testing.assert_array_equal(numpy(KSparse(1)(np.array([[-5.0, 1.0]]))), [[0, 1]])


def test_gradients_flow_through_those_kept_alone():
    cotangent = np.random.default_rng(1).normal(size=X.shape).astype("float32")
    y, pullback = vjp(KSparse(2), X)
    gradient = numpy(pullback(keras.ops.convert_to_tensor(cotangent)))
    np.testing.assert_array_equal(gradient, np.where(numpy(y) != 0, cotangent, 0))


def test_inference_may_keep_more_than_training():
    layer = KSparse(2, inference_k=5)
    np.testing.assert_array_equal(numpy(layer(X, training=True)), layers.k_sparse(X, 2))
    np.testing.assert_array_equal(numpy(layer(X, training=False)), layers.k_sparse(X, 5))


def test_compiled_and_eager_agree():
    layer = KSparse(3)
    np.testing.assert_array_equal(
        numpy(jit(layer)(keras.ops.convert_to_tensor(X))), numpy(layer(X))
    )


def test_symbolic_shapes_keep_what_is_unknown():
    assert tuple(KSparse(2)(keras.Input((None, 4))).shape) == (None, None, 4)


@pytest.mark.parametrize("k", [0, -1, 2.0, None, "2", True])
def test_a_k_that_is_no_positive_integer_is_refused(k):
    with pytest.raises(ValueError, match=r"KSparse\(k=.*integer of at least 1. Give the number"):
        KSparse(k)


@pytest.mark.parametrize("k", [0, 2.0, "2"])
def test_an_inference_k_that_is_no_positive_integer_is_refused(k):
    with pytest.raises(ValueError, match=r"KSparse\(inference_k=.*integer of at least 1"):
        KSparse(1, inference_k=k)


@pytest.mark.parametrize("features", [3, None])
def test_fewer_features_than_are_kept_are_refused(features):
    with pytest.raises(ValueError, match=r"inference_k=4\).*at least 4 features. Keep fewer"):
        KSparse(2, inference_k=4).build((None, features))
