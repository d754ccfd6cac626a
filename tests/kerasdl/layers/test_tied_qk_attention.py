import keras
import numpy as np
import pytest

from kerasdl.backend import vjp
from kerasdl.layers import TiedQKAttention
from tests.reference import components, layers

X = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
MASK = np.array([[1, 1, 1, 0, 0], [1, 0, 1, 1, 1]], bool)
ATTENTION_MASK = np.random.default_rng(1).random((2, 5, 5)) < 0.7
CAUSAL = np.tril(np.ones((5, 5), bool))


def numpy(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def built(key_dim=3, x=X, **settings):
    layer = TiedQKAttention(key_dim, kernel_initializer="random_normal", **settings)
    layer.build(x.shape)
    layer.set_weights([np.random.default_rng(2).normal(size=layer.kernel.shape)])
    return layer


def expected(layer, allowed=None, x=X):
    (kernel,) = layer.get_weights()
    return layers.tied_qk_attention(x, kernel, layer.num_heads, allowed)


@pytest.mark.parametrize("num_heads", [1, 2, 4])
@pytest.mark.parametrize("key_dim", [1, 3])
def test_values_equal_the_formula(num_heads, key_dim):
    layer = built(key_dim, num_heads=num_heads)
    np.testing.assert_allclose(numpy(layer(X)), expected(layer), atol=1e-5)


def test_each_output_lies_within_the_inputs():
    y = numpy(built()(X))
    assert (y <= X.max(axis=1, keepdims=True) + 1e-6).all()
    assert (y >= X.min(axis=1, keepdims=True) - 1e-6).all()


def test_permuted_positions_give_permuted_outputs():
    layer, order = built(), [3, 1, 4, 0, 2]
    np.testing.assert_allclose(numpy(layer(X[:, order])), numpy(layer(X))[:, order], atol=1e-6)


@pytest.mark.parametrize(
    ("causal", "arguments", "allowed"),
    [
        (True, {}, np.stack([CAUSAL, CAUSAL])),
        (False, {"mask": MASK}, np.repeat(MASK[:, None], 5, axis=1)),
        (False, {"attention_mask": ATTENTION_MASK}, ATTENTION_MASK),
        (False, {"attention_mask": ATTENTION_MASK[0]}, np.stack([ATTENTION_MASK[0]] * 2)),
        (
            True,
            {"attention_mask": ATTENTION_MASK, "mask": MASK},
            ATTENTION_MASK & MASK[:, None] & CAUSAL,
        ),
    ],
    ids=["causal", "mask", "attention_mask", "one attention_mask for all", "all three"],
)
def test_positions_attend_only_where_they_may(causal, arguments, allowed):
    layer = built(num_heads=2, causal=causal)
    np.testing.assert_allclose(numpy(layer(X, **arguments)), expected(layer, allowed), atol=1e-5)


def test_a_position_that_may_attend_to_none_gets_0_and_a_finite_gradient():
    layer, nothing = built(), np.zeros((2, 5), bool)
    y, pullback = vjp(lambda x: layer(x, mask=nothing), X)
    assert (numpy(y) == 0).all()
    assert np.isfinite(numpy(pullback(keras.ops.ones(X.shape)))).all()


@pytest.mark.parametrize("with_attention_mask", [False, True])
def test_the_mask_of_the_input_is_used_and_passed_on(with_attention_mask):
    tokens = np.array([[3, 5, 8, 0, 0], [2, 0, 7, 1, 4]])
    embedded = keras.layers.Embedding(9, 4, mask_zero=True)(tokens)
    layer = built()
    more = {"attention_mask": np.ones((2, 5, 5), bool)} if with_attention_mask else {}
    y = layer(embedded, **more)
    allowed = np.repeat((tokens != 0)[:, None], 5, axis=1)
    np.testing.assert_allclose(numpy(y), expected(layer, allowed, numpy(embedded)), atol=1e-5)
    mean_of_unmasked = numpy(keras.layers.GlobalAveragePooling1D()(y))
    np.testing.assert_allclose(mean_of_unmasked[0], numpy(y)[0, :3].mean(axis=0), atol=1e-6)


def test_gradients_equal_finite_differences():
    layer = built(num_heads=2, causal=True)
    weights = np.random.default_rng(3).normal(size=X.shape)
    allowed = np.stack([CAUSAL, CAUSAL])
    slopes = components.finite_differences(
        lambda x: np.sum(weights * expected(layer, allowed, x)), X
    )
    _, pullback = vjp(layer, X)
    gradient = numpy(pullback(keras.ops.convert_to_tensor(weights, "float32")))
    np.testing.assert_allclose(gradient, slopes, atol=1e-4)


def test_large_scores_do_not_overflow_in_float16():
    layer = TiedQKAttention(2, kernel_initializer="ones", dtype="mixed_float16")
    y = layer(np.array([[[400.0], [-400.0]]]), mask=np.array([[True, True]]))
    assert keras.backend.standardize_dtype(y.dtype) == "float16"
    np.testing.assert_array_equal(numpy(y), [[[400], [-400]]])  # the scores are +-2e5


def test_the_time_may_be_unknown():
    layer = built(causal=True)
    inputs = keras.Input((None, 4))
    model = keras.Model(inputs, layer(inputs))
    assert tuple(model.output.shape) == (None, None, 4)
    np.testing.assert_allclose(model.predict(X, verbose=0), numpy(layer(X)), atol=1e-6)


def test_an_attention_mask_may_be_symbolic():
    inputs, mask = keras.Input((None, 4)), keras.Input((None, None), dtype="bool")
    layer = built()
    model = keras.Model([inputs, mask], layer(inputs, attention_mask=mask))
    found = numpy(model([X, ATTENTION_MASK]))
    np.testing.assert_allclose(found, expected(layer, ATTENTION_MASK), atol=1e-5)


@pytest.mark.parametrize("argument", ["key_dim", "num_heads"])
@pytest.mark.parametrize("value", [0, -1, 1.5, None, "2"])
def test_a_size_that_is_no_positive_integer_is_refused(argument, value):
    with pytest.raises(ValueError, match=rf"TiedQKAttention\({argument}=.*at least 1. Use 16"):
        TiedQKAttention(**{"key_dim": 2, argument: value})


@pytest.mark.parametrize("shape", [(2, 5, 3), (2, 5, None), (2, 4), (2, 5, 5, 4)])
def test_features_that_the_heads_cannot_share_are_refused(shape):
    with pytest.raises(ValueError, match=r"TiedQKAttention\(num_heads=2\) got .*Use 1 head"):
        TiedQKAttention(2, num_heads=2).build(shape)
