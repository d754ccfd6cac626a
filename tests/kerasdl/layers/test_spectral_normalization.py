import keras
import numpy as np
import pytest

from kerasdl.backend import vjp
from kerasdl.layers import SpectralNormalization
from tests.reference import components, layers

X = np.random.default_rng(0).normal(size=(4, 5, 6, 3)).astype("float32")
VECTORS = X[:, 0, 0]
KERNEL = np.random.default_rng(1).normal(size=(3, 2)).astype("float32")


def numpy(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def largest(matrix):
    return np.linalg.svd(matrix.reshape(-1, matrix.shape[-1]), compute_uv=False)[0]


def built(layer=None, x=VECTORS, kernel=KERNEL, **settings):
    wrapper = SpectralNormalization(layer or keras.layers.Dense(2, use_bias=False), **settings)
    wrapper.build(x.shape)
    if kernel is not None:
        wrapper.kernel_variable.assign(kernel)
    return wrapper


@pytest.mark.parametrize("max_norm", [0.1, 1.0, 1.5])
@pytest.mark.parametrize("scale", [1e-6, 0.1, 10.0, 1e4])
def test_the_largest_singular_value_is_within_the_bound(max_norm, scale):
    wrapper = built(kernel=scale * KERNEL, max_norm=max_norm, power_iterations=50)
    kernel = numpy(wrapper.computed_kernel())
    assert largest(kernel) <= max_norm * (1 + 1e-5)
    np.testing.assert_allclose(
        kernel, layers.spectrally_normalized(scale * KERNEL, max_norm), rtol=1e-5
    )


def test_a_kernel_within_the_bound_is_left_alone_bit_for_bit():
    wrapper = built(kernel=0.1 * KERNEL)
    np.testing.assert_array_equal(numpy(wrapper.computed_kernel()), np.float32(0.1) * KERNEL)


def test_the_bound_holds_from_the_first_call():
    wide = np.random.default_rng(2).normal(size=(2, 100)).astype("float32")
    wrapper = built(
        keras.layers.Dense(50, kernel_initializer="random_normal"),
        wide,
        None,
        max_norm=0.1,
        power_iterations=1,
    )
    assert largest(numpy(wrapper.computed_kernel())) == pytest.approx(0.1, rel=0.03)


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (keras.layers.Conv2D(4, 3), X),
        (keras.layers.Embedding(5, 3, embeddings_initializer="normal"), np.array([[0, 4], [2, 2]])),
    ],
    ids=["convolution", "embedding"],
)
def test_other_kernels_are_taken_as_matrices(layer, x):
    wrapper = built(layer, x, None, max_norm=0.01, power_iterations=50)
    assert largest(numpy(wrapper.computed_kernel())) == pytest.approx(0.01, rel=1e-4)


@pytest.mark.parametrize("max_norm", [0.5, 100.0])
def test_gradients_equal_finite_differences(max_norm):
    wrapper = built(max_norm=max_norm, power_iterations=50)

    def loss(kernel):
        return np.sum((VECTORS @ layers.spectrally_normalized(kernel, max_norm)) ** 2)

    def output(kernel):
        with keras.StatelessScope(state_mapping=[(wrapper.kernel_variable, kernel)]):
            return keras.ops.sum(keras.ops.square(wrapper(VECTORS)))

    y, pullback = vjp(output, KERNEL)
    assert float(y) == pytest.approx(loss(KERNEL), rel=1e-5)
    slopes = components.finite_differences(loss, KERNEL)
    np.testing.assert_allclose(numpy(pullback(keras.ops.ones(()))), slopes, rtol=1e-3, atol=1e-3)


def test_the_power_iteration_moves_on_in_training_only():
    wrapper = built()
    before = numpy(wrapper.right)
    wrapper(VECTORS)
    np.testing.assert_array_equal(numpy(wrapper.right), before)
    wrapper(VECTORS, training=True)
    assert (numpy(wrapper.right) != before).any()


def test_fit_moves_the_power_iteration_and_trains_the_variable():
    wrapper = built(kernel=10 * KERNEL)
    model = keras.Sequential([keras.Input((3,)), wrapper])
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    before = numpy(wrapper.right), numpy(wrapper.kernel_variable)
    model.fit(VECTORS, np.ones((4, 2)), epochs=20, verbose=0)
    after = numpy(wrapper.right), numpy(wrapper.kernel_variable)
    assert all((a != b).any() for a, b in zip(after, before, strict=True))
    assert largest(numpy(wrapper.computed_kernel())) == pytest.approx(1, rel=1e-3)
    assert largest(numpy(wrapper.kernel_variable)) > 2  # nothing was assigned to it


def test_a_kernel_of_zeros_stays_and_does_not_end_the_power_iteration():
    wrapper = built(kernel=0 * KERNEL)
    y, pullback = vjp(lambda x: wrapper(x, training=True), VECTORS)
    assert (numpy(y) == 0).all()
    assert (numpy(pullback(keras.ops.ones((4, 2)))) == 0).all()
    assert np.linalg.norm(numpy(wrapper.right)) == pytest.approx(1, rel=1e-5)


def test_mixed_precision_trains_float32_weights():
    wrapper = SpectralNormalization(keras.layers.Dense(2, dtype="mixed_float16"))
    y = wrapper(VECTORS, training=True)
    assert keras.backend.standardize_dtype(y.dtype) == "float16"
    assert {weight.dtype for weight in wrapper.weights} == {"float32"}


def test_the_layer_of_keras_keeps_its_name():
    layer = keras.layers.SpectralNormalization(keras.layers.Dense(2))
    config = keras.saving.serialize_keras_object(layer)
    loaded = keras.saving.deserialize_keras_object(config)
    assert type(loaded) is keras.layers.SpectralNormalization


@pytest.mark.parametrize("max_norm", [0, -1, float("nan"), float("inf"), None])
def test_a_bound_that_is_not_positive_is_refused(max_norm):
    with pytest.raises(ValueError, match=r"SpectralNormalization\(max_norm=.*positive.*Use 1"):
        SpectralNormalization(keras.layers.Dense(2), max_norm)


@pytest.mark.parametrize("power_iterations", [0, 1.5, None])
def test_no_power_iterations_are_refused(power_iterations):
    with pytest.raises(ValueError, match=r"\(power_iterations=.*at least 1. Use 1"):
        SpectralNormalization(keras.layers.Dense(2), power_iterations=power_iterations)


def test_a_layer_without_a_kernel_is_refused():
    with pytest.raises(ValueError, match=r"a Flatten has no variable `kernel`"):
        SpectralNormalization(keras.layers.Flatten()).build((None, 3))
