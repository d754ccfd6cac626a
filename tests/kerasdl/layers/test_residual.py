import keras
import numpy as np
import pytest

from kerasdl.layers import LayerScale, Residual

X = np.random.default_rng(0).normal(size=(4, 5, 3)).astype("float32")


def numpy(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def test_the_output_is_the_sum_of_input_and_branch():
    branch = keras.layers.Dense(3, activation="tanh")
    np.testing.assert_allclose(numpy(Residual(branch)(X)), X + numpy(branch(X)), rtol=1e-6)


def test_a_branch_of_several_layers_is_one_sequential():
    branch = keras.Sequential([keras.layers.Dense(7), keras.layers.Dense(3), LayerScale(0.0)])
    residual = Residual(branch)
    np.testing.assert_array_equal(numpy(residual(X)), X)
    assert len(residual.trainable_weights) == 5


def test_fit_trains_the_branch():
    branch = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((1,)), Residual(branch)])
    model.compile(optimizer=keras.optimizers.SGD(0.25), loss="mse")
    model.fit(np.ones((1, 1)), np.zeros((1, 1)), verbose=0)
    np.testing.assert_allclose(branch.get_weights(), [[[-0.5]]])  # the gradient of (1 + w)**2 is 2


@pytest.mark.parametrize("training", [False, True])
def test_training_reaches_the_branch(training):
    y = numpy(Residual(keras.layers.Dropout(0.999, seed=0))(X[:1], training=training))
    np.testing.assert_allclose(y, X[:1] * (1 if training else 2))


class MaskCount(keras.layers.Layer):
    """Adds the number of unmasked steps."""

    supports_masking = True

    def call(self, inputs, mask=None):
        count = keras.ops.sum(keras.ops.cast(mask, "float32"), axis=1)
        return keras.ops.zeros_like(inputs) + count[:, None, None]

    def compute_output_shape(self, input_shape):
        return input_shape


@pytest.mark.parametrize("explicit", [False, True])
def test_the_mask_reaches_the_branch_and_goes_on(explicit):
    tokens = np.array([[1, 2, 0], [1, 0, 0]])
    embedded = keras.layers.Embedding(3, 2, mask_zero=not explicit)(tokens)
    y = Residual(MaskCount())(embedded, **({"mask": tokens != 0} if explicit else {}))
    np.testing.assert_allclose(
        numpy(y) - numpy(embedded), [[[2]] * 3, [[1]] * 3] * np.ones(2), rtol=1e-5
    )
    if not explicit:
        pooled = numpy(keras.layers.GlobalAveragePooling1D()(y))
        np.testing.assert_allclose(pooled[1], numpy(y)[1, 0], rtol=1e-6)


def test_it_computes_with_the_dtype_policy_of_its_branch():
    residual = Residual(keras.layers.Dense(3, dtype="mixed_float16"))
    assert keras.backend.standardize_dtype(residual(X).dtype) == "float16"
    assert residual.dtype_policy.name == "mixed_float16"


def test_symbolic_shapes_keep_what_is_unknown():
    assert tuple(Residual(keras.layers.Dense(4))(keras.Input((None, 4))).shape) == (None, None, 4)


def test_a_config_is_left_as_it_was():
    config = Residual(keras.layers.Dense(3)).get_config()
    assert Residual.from_config(config).layer.units == Residual.from_config(config).layer.units


@pytest.mark.parametrize("layer", [None, [], "dense"])
def test_what_is_no_layer_is_refused(layer):
    with pytest.raises(ValueError, match=r"Residual\(layer=.*one keras.Sequential"):
        Residual(layer)


@pytest.mark.parametrize(
    "layer", [keras.layers.Dense(2), keras.layers.Dense(1), keras.layers.Flatten()]
)
def test_a_branch_that_changes_the_shape_is_refused(layer):
    with pytest.raises(ValueError, match=r"maps the shape \(4, 5, 3\) to .*Keep the shape, or add"):
        Residual(layer).build(X.shape)
