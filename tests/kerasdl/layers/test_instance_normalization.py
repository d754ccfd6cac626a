import keras
import numpy as np
import pytest

from kerasdl.backend import vjp
from kerasdl.layers import InstanceNormalization
from tests.reference import components, layers

X = np.random.default_rng(0).normal(3, 2, size=(2, 5, 4, 3)).astype("float32")
SEQUENCES = X[:, :, 0]
MASK = np.array([[1, 1, 1, 0, 0], [1, 0, 1, 1, 1]], bool)


def numpy(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def test_each_channel_of_each_sample_gets_mean_0_and_variance_1():
    y = numpy(InstanceNormalization(epsilon=1e-7)(X))
    np.testing.assert_allclose(y.mean(axis=(1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(y.var(axis=(1, 2)), 1, rtol=1e-5)


@pytest.mark.parametrize("x", [X, SEQUENCES], ids=["images", "sequences"])
def test_values_equal_the_formula(x):
    expected = layers.instance_normalization(x, 0.1)
    np.testing.assert_allclose(numpy(InstanceNormalization(epsilon=0.1)(x)), expected, atol=1e-5)


def test_it_is_group_normalization_with_one_group_per_channel():
    expected = numpy(keras.layers.GroupNormalization(groups=-1)(X))
    np.testing.assert_allclose(numpy(InstanceNormalization()(X)), expected, atol=1e-5)


def test_channels_may_come_first():
    first = np.moveaxis(X, -1, 1)
    y = numpy(InstanceNormalization(axis=1)(first))
    np.testing.assert_allclose(np.moveaxis(y, 1, -1), numpy(InstanceNormalization()(X)), atol=1e-6)


def test_factor_and_offset_apply_channel_by_channel():
    layer = InstanceNormalization()
    plain = numpy(layer(X))
    layer.set_weights([np.array([1.0, 2.0, 3.0]), np.array([-1.0, 0.0, 1.0])])
    np.testing.assert_allclose(numpy(layer(X)), plain * [1, 2, 3] + [-1, 0, 1], atol=1e-5)


@pytest.mark.parametrize(("center", "scale"), [(True, False), (False, True), (False, False)])
def test_factor_and_offset_exist_where_they_were_asked_for(center, scale):
    layer = InstanceNormalization(center=center, scale=scale)
    layer.build(X.shape)
    assert [weight.name for weight in layer.weights] == ["gamma"] * scale + ["beta"] * center


def test_masked_positions_do_not_count():
    found = numpy(InstanceNormalization(epsilon=0.1)(SEQUENCES, mask=MASK))
    expected = layers.instance_normalization(SEQUENCES, 0.1, MASK)
    np.testing.assert_allclose(found[MASK], expected[MASK], atol=1e-5)


def test_a_mask_comes_with_the_input_and_goes_on_with_the_output():
    embedding = keras.layers.Embedding(9, 2, mask_zero=True)
    tokens = np.array([[3, 5, 8, 0], [2, 7, 1, 4]])
    pool, layer = keras.layers.GlobalAveragePooling1D(), InstanceNormalization()
    mean = numpy(pool(layer(embedding(tokens))))
    np.testing.assert_allclose(mean, 0, atol=1e-6)


def test_a_row_without_any_unmasked_position_is_finite():
    y = numpy(InstanceNormalization()(SEQUENCES, mask=np.zeros((2, 5), bool)))
    assert np.isfinite(y).all()


def test_gradients_equal_finite_differences():
    x = np.random.default_rng(1).normal(size=(2, 3, 2)).astype("float32")
    weights = np.random.default_rng(2).normal(size=x.shape)
    expected = components.finite_differences(
        lambda x: np.sum(weights * layers.instance_normalization(x, 0.1)), x
    )
    _, pullback = vjp(InstanceNormalization(epsilon=0.1), x)
    gradient = numpy(pullback(keras.ops.convert_to_tensor(weights, "float32")))
    np.testing.assert_allclose(gradient, expected, atol=1e-4)


def test_a_constant_channel_becomes_0_with_a_finite_gradient():
    y, pullback = vjp(InstanceNormalization(), np.full((1, 4, 1), 7.0, "float32"))
    assert (numpy(y) == 0).all()
    assert np.isfinite(numpy(pullback(keras.ops.ones((1, 4, 1))))).all()


def test_mixed_precision_takes_its_statistics_in_float32():
    x = np.array([[[6e4], [-6e4]]], "float32")  # their squares overflow float16
    y = InstanceNormalization(dtype="mixed_float16")(x)
    assert keras.backend.standardize_dtype(y.dtype) == "float16"
    np.testing.assert_allclose(numpy(y), [[[1], [-1]]], rtol=2**-10)


def test_symbolic_shapes_keep_what_is_unknown():
    y = InstanceNormalization()(keras.Input((None, None, 3)))
    assert tuple(y.shape) == (None, None, None, 3)


@pytest.mark.parametrize("epsilon", [0, -1e-3, float("nan"), None])
def test_an_epsilon_that_is_not_positive_is_refused(epsilon):
    with pytest.raises(ValueError, match=r"InstanceNormalization\(epsilon=.*positive.*Use 1e-3"):
        InstanceNormalization(epsilon=epsilon)


def test_a_matrix_is_refused():
    with pytest.raises(ValueError, match=r"shape \(None, 3\).*Use keras.layers.LayerNormalization"):
        InstanceNormalization().build((None, 3))
