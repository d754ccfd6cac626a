"""Attention of every kind: scores as the model's own, masks respected, relevance by formula."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import xai
from tests.reference import lrp, lrp_attention
from tests.reference.distance import relative
from tests.reference.weights import randomized

# Float32 rounds values by 6e-8; softmax and cancellation in sums enlarge that.
TOLERANCE = 2e-5
BILINEAR = ["attnlrp", "cp"]
QUERY = np.random.default_rng(0).normal(size=(3, 4, 6)).astype("float32")
VALUE = np.random.default_rng(1).normal(size=(3, 5, 6)).astype("float32")
TOKENS = np.array([[3, 1, 4, 5], [6, 2, 0, 0], [1, 2, 3, 0]])
CAUSAL = np.tril(np.ones((4, 4), bool))
PROJECTIONS = "query", "key", "value"


def headed(inputs, attended):
    """A model of two scores, without biases of its own."""
    top = layers.Dense(2, use_bias=False, name="top")
    return randomized(keras.Model(inputs, top(layers.Flatten()(attended))))


def within(attend):
    """A model of one sequence that attends to itself, and an input."""
    inputs = keras.Input((4, 6))
    return headed(inputs, attend(inputs)), QUERY


def across(attend):
    """A model of two sequences, the first attending to the second, and its inputs."""
    query, value = keras.Input((4, 6)), keras.Input((5, 6))
    return headed([query, value], attend(query, value)), [QUERY, VALUE]


def explain(model, x, bilinear="attnlrp", **arguments):
    explainer = xai.LRP(model, xai.composites.attention(bilinear), strict=True)
    return explainer(x, target=1, **arguments)


def assert_score_is_the_models_own(attribution, model, x):
    own = ops.convert_to_numpy(model(x))[:, 1]
    np.testing.assert_allclose(attribution.score, own, rtol=1e-4, atol=1e-5)


def multi(**settings):
    return layers.MultiHeadAttention(2, 3, use_bias=False, **settings)


def grouped(**settings):
    return layers.GroupQueryAttention(3, 4, 2, use_bias=False, **settings)


def projected(i):
    return [layers.Dense(6, use_bias=False, name=name)(i) for name in PROJECTIONS]


def by_operations(i):
    q, k, v = projected(i)
    return ops.softmax(ops.matmul(q, ops.transpose(k, (0, 2, 1))) / 6**0.5) @ v


def by_masked_operations(i):
    q, k, v = projected(i)
    scores = ops.where(CAUSAL, ops.einsum("bqd,bkd->bqk", q, k), -1e9)
    return ops.einsum("bqk,bkd->bqd", layers.Dropout(0.5)(ops.softmax(scores)), v)


def by_fused_operation(i):
    return ops.dot_product_attention(*(ops.reshape(p, (-1, 4, 2, 3)) for p in projected(i)))


KINDS = {
    "self": lambda: within(lambda i: multi()(i, i)),
    "cross": lambda: across(lambda q, v: multi()(q, v)),
    "keys of their own": lambda: across(lambda q, v: multi(value_dim=2, dropout=0.5)(q, v, 2 * v)),
    "dropout": lambda: within(lambda i: multi(dropout=0.5)(i, i)),
    "causal": lambda: within(lambda i: multi()(i, i, use_causal_mask=True)),
    "causal with dropout": lambda: within(lambda i: multi(dropout=0.5)(i, i, use_causal_mask=True)),
    "masked": lambda: within(lambda i: multi()(i, i, attention_mask=CAUSAL[None])),
    "several axes": lambda: within(
        lambda i: multi(attention_axes=(1, 2))(*[layers.Reshape((2, 2, 6))(i)] * 2)
    ),
    "gated": lambda: within(lambda i: multi(use_gate=True)(i, i)),
    "grouped": lambda: within(lambda i: grouped()(i, i)),
    "grouped, causal": lambda: within(lambda i: grouped()(i, i, use_causal_mask=True)),
    "grouped with dropout": lambda: within(
        lambda i: grouped(dropout=0.5)(i, i, use_causal_mask=True)
    ),
    "grouped, gated": lambda: within(lambda i: grouped(use_gate=True)(i, i)),
    "dot": lambda: across(lambda q, v: layers.Attention()([q, v])),
    "scaled dot": lambda: across(lambda q, v: layers.Attention(use_scale=True)([q, v, 2 * v])),
    "dot, concatenated": lambda: across(lambda q, v: layers.Attention("concat")([q, v])),
    "dot, causal": lambda: within(lambda i: layers.Attention()([i, i], use_causal_mask=True)),
    "additive": lambda: across(lambda q, v: layers.AdditiveAttention()([q, v])),
    "additive, unscaled": lambda: across(lambda q, v: layers.AdditiveAttention(False)([q, v])),
    "operations": lambda: within(by_operations),
    "masked operations": lambda: within(by_masked_operations),
    "fused operation": lambda: within(by_fused_operation),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_score_is_the_models_own_and_cp_conserves_it(kind):
    model, x = KINDS[kind]()
    attribution = explain(model, x, "cp")
    assert_score_is_the_models_own(attribution, model, x)
    total = sum(np.abs(values).sum() for values in keras.tree.flatten(attribution.values))
    # Each of the four weighted layers has an epsilon of 1e-6.
    np.testing.assert_allclose(attribution.residual / total, 0, atol=TOLERANCE)


def one_head(q, k, v, R, bilinear, scores=None):
    """Walks back through softmax(q k^T) v of one sequence: relevance of q, k and v."""
    scores = q @ k.T if scores is None else scores
    weights = lrp_attention.softmax(scores)
    R_weights, R_v = lrp_attention.through_matmul(weights, v, R)
    if bilinear == "cp":
        return np.zeros_like(q), np.zeros_like(k), 2 * R_v
    R_scores = lrp_attention.through_softmax(scores, R_weights)
    R_q, R_k = lrp_attention.through_matmul(q, k.T, R_scores)
    return R_q, R_k.T, R_v


def relevance_of_attended(model, attended):
    """Walks back through the last layer, of 1e-6: relevance of what was attended to."""
    kernel = model.get_layer("top").get_weights()[0].astype("float64")
    flat = attended.reshape(len(attended), -1)
    zero = np.zeros(2)
    R = lrp.received(lrp.epsilon(flat, kernel, zero, flat @ kernel * [0, 1], 1e-6))
    return R.reshape(attended.shape)


@pytest.mark.parametrize("bilinear", BILINEAR)
def test_dot_product_attention_agrees_with_the_propositions(bilinear):
    model, x = across(lambda q, v: layers.Attention()([q, v]))
    q, v = (array.astype("float64") for array in x)
    attended = lrp_attention.softmax(q @ v.swapaxes(1, 2)) @ v
    R = relevance_of_attended(model, attended)
    parts = [one_head(*row, bilinear) for row in zip(q, v, v, R, strict=True)]
    ours = explain(model, x, bilinear).values
    R_q, R_k, R_v = (np.array(part) for part in zip(*parts, strict=True))
    assert relative(ours[1], R_k + R_v) < TOLERANCE
    np.testing.assert_allclose(ours[0], R_q, atol=TOLERANCE * np.abs(R_v).max())


@pytest.mark.parametrize("name", ["operations", "fused operation", "masked operations"])
def test_attention_by_hand_agrees_with_the_propositions(name):
    model, x = KINDS[name]()
    maps = [model.get_layer(p).get_weights()[0].astype("float64") for p in PROJECTIONS]
    heads = 2 if name == "fused operation" else 1
    scale = 1.0 if name == "masked operations" else (6 / heads) ** -0.5
    mask = CAUSAL if name == "masked operations" else np.ones_like(CAUSAL)
    projections = [x.astype("float64") @ kernel for kernel in maps]
    by_head = list(zip(*(np.split(p, heads, axis=-1) for p in projections), strict=True))
    scores = [np.where(mask, q @ k.swapaxes(1, 2) * scale, -1e9) for q, k, _ in by_head]
    summed = [lrp_attention.softmax(S) @ v for S, (_, _, v) in zip(scores, by_head, strict=True)]
    R = relevance_of_attended(model, np.concatenate(summed, axis=-1))
    expected = np.zeros(x.shape)
    for row in range(len(x)):
        columns = np.split(np.arange(6), heads)
        for S, c, head in zip(scores, columns, by_head, strict=True):
            head = [values[row] for values in head]
            parts = one_head(*head, R[row][:, c], "attnlrp", S[row])
            for kernel, part in zip(maps, parts, strict=True):
                received = lrp.epsilon(x[row], kernel[:, c], np.zeros(len(c)), part, 1e-6)
                expected[row] += lrp.received(received)
    assert relative(explain(model, x).values, expected) < TOLERANCE


DROPOUT = {
    "self": "dropout",
    "causal": "causal with dropout",
    "grouped, causal": "grouped with dropout",
}


@pytest.mark.parametrize("plain", DROPOUT)
def test_dropout_changes_no_explanation(plain):
    (a, x), (b, _) = KINDS[plain](), KINDS[DROPOUT[plain]]()
    assert relative(explain(a, x).values, explain(b, x).values) < TOLERANCE


@pytest.mark.parametrize("kind", ["causal", "masked", "grouped, causal", "dot, causal"])
def test_what_a_mask_hides_gets_no_relevance(kind):
    model, x = KINDS[kind]()
    kernel = model.get_layer("top").kernel
    kernel.assign(kernel * (np.arange(24) // 6 == 1)[:, None])
    assert np.abs(explain(model, x).values).max(axis=(0, 2)).astype(bool).tolist() == [1, 1, 0, 0]


class Block(layers.Layer):
    def __init__(self, implicit=False, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking, self.implicit = True, implicit
        self.norms = [layers.LayerNormalization() for _ in range(2)]
        self.attention = layers.MultiHeadAttention(2, 3)
        self.up, self.down = layers.Dense(8, activation="gelu"), layers.Dense(6)

    def call(self, x, mask=None):
        given = None if mask is None or self.implicit else ops.expand_dims(mask, 1)
        h = self.norms[0](x)
        x = x + self.attention(h, h, attention_mask=given)
        return x + self.down(self.up(self.norms[1](x)))


PADDED = {
    "multi-head attention": lambda e: multi()(e, e),
    "behind a dense layer": lambda e: multi()(layers.Dense(6)(e), layers.Dense(6)(e)),
    "grouped": lambda e: grouped()(e, e),
    "dot": lambda e: layers.Attention()([e, e]),
    "additive": lambda e: layers.AdditiveAttention()([e, e]),
    "block": lambda e: Block()(e),
    "block that leaves the mask to Keras": lambda e: Block(implicit=True)(e),
    "nested recurrent model": lambda e: keras.Sequential(
        [keras.Input((4, 6)), layers.LSTM(3, return_sequences=True)]
    )(e),
}


def padded(kind):
    tokens = keras.Input((4,), dtype="int32")
    vectors = layers.Embedding(7, 6, mask_zero=True)(tokens)
    return headed(tokens, ops.copy(PADDED[kind](vectors)))


@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask:UserWarning")
@pytest.mark.parametrize("kind", PADDED)
def test_a_mask_that_keras_carries_along_is_respected(kind):
    """Keras hands the masks of `Embedding(mask_zero=True)` from tensor to tensor, unseen."""
    model = padded(kind)
    assert_score_is_the_models_own(explain(model, TOKENS), model, TOKENS)


@pytest.mark.parametrize("kind", ["dot", "additive"])
def test_padding_gets_no_relevance(kind):
    assert not explain(padded(kind), TOKENS).values[TOKENS == 0].any()


@pytest.mark.parametrize("bilinear", BILINEAR)
def test_a_block_of_its_own_class_equals_its_layers(bilinear):
    block, inputs = Block(), keras.Input((4, 6))
    model, x = within(block)
    h = block.norms[0](inputs)
    h = inputs + block.attention(h, h)
    h = layers.Flatten()(h + block.down(block.up(block.norms[1](h))))
    apart = keras.Model(inputs, model.get_layer("top")(h))
    a, b = (explain(m, x, bilinear) for m in (model, apart))
    assert_score_is_the_models_own(a, model, x)
    assert relative(a.values, b.values) < TOLERANCE


def mean(h):
    return ops.mean(h, axis=-1, keepdims=True)


def mean_square(h):
    return mean(ops.square(h)) + 1e-3


BY_HAND = {
    "layer, divided": (
        layers.LayerNormalization(),
        lambda h: (h - mean(h)) / ops.sqrt(mean_square(h - mean(h))),
    ),
    "layer, variance": (
        layers.LayerNormalization(),
        lambda h: (h - mean(h)) / ops.sqrt(ops.var(h, axis=-1, keepdims=True) + 1e-3),
    ),
    "root mean square": (
        layers.RMSNormalization(epsilon=1e-3),
        lambda h: h * ops.rsqrt(mean_square(h)),
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_a_normalization_by_hand_equals_the_layer(name):
    layer, by_hand = BY_HAND[name]
    layer = type(layer).from_config(layer.get_config())
    inputs, top = keras.Input((4, 6)), layers.Dense(2)
    models = [keras.Model(inputs, top(layers.Flatten()(n(inputs)))) for n in (layer, by_hand)]
    expected, ours = (explain(model, QUERY).values for model in models)
    assert relative(ours, expected) < TOLERANCE
