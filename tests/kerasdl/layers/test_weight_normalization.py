import keras
import numpy as np
import pytest

from kerasdl.backend import jit, vjp
from kerasdl.layers import WeightNormalization
from tests.reference import components, layers

X = np.random.default_rng(0).normal(size=(4, 5, 6, 3)).astype("float32")
VECTORS = X[:, 0, 0]
WRAPPED = {
    "dense": (lambda: keras.layers.Dense(2), -1, VECTORS),
    "dense, by row": (lambda: keras.layers.Dense(2), 0, VECTORS),
    "convolution": (lambda: keras.layers.Conv2D(4, 3), -1, X),
    "transposed": (lambda: keras.layers.Conv2DTranspose(4, 3), -2, X),
    "depthwise": (lambda: keras.layers.DepthwiseConv2D(3), (-2, -1), X),
    "einsum": (lambda: keras.layers.EinsumDense("bi,ij->bj", (2,)), 1, VECTORS),
    "embedding": (lambda: keras.layers.Embedding(5, 3), 0, np.array([[0, 4], [2, 2]], "int32")),
}
every_layer = pytest.mark.parametrize("case", WRAPPED)


def numpy(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def wrapped(case):
    make, axis, x = WRAPPED[case]
    layer = WeightNormalization(make(), axis)
    layer.build(x.shape)
    return layer, x


def trained_a_step(layer, x):
    model = keras.Sequential([keras.Input(x.shape[1:], dtype=x.dtype), layer])
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    model.fit(x, np.ones(model.output_shape[1:])[None].repeat(len(x), 0), verbose=0)
    return model


@every_layer
def test_it_begins_as_the_layer_alone(case):
    layer, x = wrapped(case)
    np.testing.assert_allclose(numpy(layer(x)), numpy(layer.layer(x)), atol=1e-5)


@every_layer
def test_a_gain_is_the_length_of_its_vector(case):
    layer, _ = wrapped(case)
    layer.gain.assign(np.arange(1.0, np.prod(layer.gain.shape) + 1).reshape(layer.gain.shape))
    squares = numpy(layer.computed_kernel()) ** 2
    axes = tuple(a for a, size in enumerate(layer.gain.shape) if size == 1)
    lengths = np.sqrt(squares.sum(axis=axes, keepdims=True))
    np.testing.assert_allclose(lengths, numpy(layer.gain), rtol=1e-5)


def test_the_length_of_the_direction_does_not_matter():
    layer, x = wrapped("dense")
    before = numpy(layer(x))
    layer.kernel_variable.assign(1e-3 * numpy(layer.kernel_variable))
    np.testing.assert_allclose(numpy(layer(x)), before, atol=1e-5)


@pytest.mark.parametrize("axis", [0, 1])
def test_outputs_and_gradients_equal_the_formula(axis):
    layer = WeightNormalization(keras.layers.Dense(2, use_bias=False), axis)
    layer.build(VECTORS.shape)
    v, gain = np.random.default_rng(1).normal(size=(3, 2)), np.arange(2.0, 5.0)[: (3, 2)[axis]]
    layer.kernel_variable.assign(v)
    layer.gain.assign(gain.reshape(layer.gain.shape))

    def loss(v, gain):
        return np.sum((VECTORS @ layers.weight_normalized(v, gain, axis)) ** 2)

    def step(values):
        mapping = zip([layer.kernel_variable, layer.gain], values, strict=True)
        with keras.StatelessScope(state_mapping=mapping):
            return keras.ops.sum(keras.ops.square(layer(VECTORS)))

    y, pullback = vjp(step, [v.astype("float32"), numpy(layer.gain)])
    of_v, of_gain = map(numpy, pullback(keras.ops.ones(())))
    assert float(y) == pytest.approx(loss(v, gain), rel=1e-5)
    slopes = components.finite_differences(lambda v: loss(v, gain), v)
    np.testing.assert_allclose(of_v, slopes, rtol=1e-3, atol=1e-3)
    slopes = components.finite_differences(lambda gain: loss(v, gain), gain)
    np.testing.assert_allclose(of_gain.ravel(), slopes, rtol=1e-3)


@every_layer
def test_fit_trains_gain_and_direction_and_leaves_the_variable_in_place(case):
    layer, x = wrapped(case)
    variable, before = layer.kernel_variable, [numpy(w) for w in layer.trainable_weights]
    trained_a_step(layer, x)
    after = [numpy(w) for w in layer.trainable_weights]
    assert all((a != b).any() for a, b in zip(after, before, strict=True))
    assert layer.kernel_variable is variable
    assert any(weight is variable for weight in layer.layer.trainable_weights)


def test_an_error_in_the_layer_leaves_the_variable_in_place():
    layer, _ = wrapped("dense")
    variable = layer.layer.kernel
    with pytest.raises(Exception, match=r"."):  # each framework has its own
        layer.call(np.ones((2, 7), "float32"))
    assert layer.layer.kernel is variable


def test_compiled_and_eager_agree_and_see_new_weights():
    layer, x = wrapped("dense")
    compiled = jit(layer, layer.variables)
    for _ in range(2):
        found = numpy(compiled(keras.ops.convert_to_tensor(x)))
        np.testing.assert_allclose(found, numpy(layer(x)), atol=1e-5)
        layer.gain.assign(3 * numpy(layer.gain))


def test_a_vector_of_zeros_can_leave_0():
    dense = keras.layers.Dense(2, kernel_initializer="zeros")
    layer = WeightNormalization(dense)
    np.testing.assert_array_equal(numpy(layer(VECTORS)), 0)
    trained_a_step(layer, VECTORS)
    assert (numpy(layer.kernel_variable) != 0).all()
    assert np.isfinite(numpy(layer(VECTORS))).all()


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_trains_float32_weights(dtype):
    layer = WeightNormalization(keras.layers.Dense(2, dtype=dtype))
    model = trained_a_step(layer, VECTORS)
    assert keras.backend.standardize_dtype(layer(VECTORS).dtype) == dtype[6:]
    assert {weight.dtype for weight in layer.weights} == {"float32"}
    assert np.isfinite(model.predict(VECTORS, verbose=0)).all()


@every_layer
def test_a_saved_model_keeps_layer_and_weights(reloaded, case):
    layer, x = wrapped(case)
    layer.gain.assign(2 * numpy(layer.gain))
    model = reloaded(layer, x)
    assert model.layers[-1].axis == layer.axis
    np.testing.assert_array_equal(numpy(model(x)), numpy(layer(x)))


def test_the_shape_is_that_of_the_layer():
    y = WeightNormalization(keras.layers.Conv2D(4, 3))(keras.Input((None, None, 3)))
    assert tuple(y.shape) == (None, None, None, 4)


@pytest.mark.parametrize("axis", [None, 1.0, "0", (), (0, None)])
def test_an_axis_that_is_no_integer_is_refused(axis):
    with pytest.raises(ValueError, match=r"WeightNormalization\(axis=.*Use -1 for Dense"):
        WeightNormalization(keras.layers.Dense(2), axis)


@pytest.mark.parametrize("axis", [2, -3, (0, -2)])
def test_a_kernel_without_the_axis_is_refused(axis):
    with pytest.raises(ValueError, match=r"shape \(3, 2\): give different axes from -2 to 1"):
        WeightNormalization(keras.layers.Dense(2), axis).build((None, 3))


@pytest.mark.parametrize(
    "make", [lambda: keras.layers.Dropout(0.1), lambda: keras.layers.Dense(2, lora_rank=1)]
)
def test_a_layer_without_a_kernel_variable_is_refused(make):
    with pytest.raises(ValueError, match=r"has no variable `kernel`.*Wrap a layer such as Dense"):
        WeightNormalization(make()).build((None, 3))
