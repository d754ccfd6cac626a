"""Sequences: tokens get what their vectors get, recurrent layers run as Keras runs them."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import xai
from tests.reference import lrp, lrp_attention
from tests.reference.distance import relative
from tests.reference.weights import randomized

# Float32 rounds values by 6e-8; steps and cancellation in sums enlarge that.
TOLERANCE = 2e-5
TOKENS = np.array([[3, 1, 4, 0, 5, 2], [6, 2, 0, 0, 0, 0], [1, 0, 2, 3, 0, 0]])
STEPS = np.random.default_rng(0).normal(size=(3, 6, 4)).astype("float32")


def over_steps(*parts):
    return randomized(keras.Sequential([keras.Input((6, 4)), *parts]))


def over_tokens(*parts, size=6):
    tokens = keras.Input((size,), dtype="int32")
    return randomized(keras.Sequential([tokens, layers.Embedding(7, 4, mask_zero=True), *parts]))


def explain(model, x, rule=None, **arguments):
    explainer = xai.LRP(model, rule or xai.rules.Zero(), strict=True)
    return explainer(x, target=1, **arguments)


def explain_and_compare_scores(model, x):
    attribution = explain(model, x)
    own = ops.convert_to_numpy(model(x))[:, 1]
    np.testing.assert_allclose(attribution.score, own, rtol=1e-4, atol=1e-5)
    return attribution


def assert_relevance_is_conserved(attribution):
    total = np.abs(attribution.values).sum()
    np.testing.assert_allclose(attribution.residual / total, 0, atol=TOLERANCE)


def assert_same_relevance(one, other, x, rule=None):
    a, b = (explain(model, x, rule).values for model in (one, other))
    assert relative(a, b) < TOLERANCE


KINDS = {"LSTM": layers.LSTM, "GRU": layers.GRU, "SimpleRNN": layers.SimpleRNN}

SETTINGS = {
    "backwards": {"go_backwards": True},
    "sequences": {"return_sequences": True},
    "unrolled": {"unroll": True},
    "relu": {"activation": "relu"},
    "linear": {"activation": None},
    "dropout": {"dropout": 0.5, "recurrent_dropout": 0.5},
}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_recurrent_layer_of_any_setting_without_biases_conserves_relevance(kind, setting):
    recurrent = KINDS[kind](3, use_bias=False, **SETTINGS[setting])
    model = over_steps(recurrent, layers.Flatten(), layers.Dense(2, use_bias=False))
    assert_relevance_is_conserved(explain_and_compare_scores(model, STEPS))


@pytest.mark.parametrize("rule", [xai.rules.Gamma(0.5), xai.rules.AlphaBeta(2.0)])
@pytest.mark.parametrize("kind", KINDS)
def test_relus_around_a_recurrent_layer_say_nothing_about_its_state(kind, rule):
    shared = [layers.Dense(5), KINDS[kind](4), layers.Dense(3)]
    plain, disguised = (
        over_steps(shared[0], rectify(), shared[1], rectify(), shared[2])
        for rectify in (layers.ReLU, lambda: layers.LeakyReLU(0.0))
    )
    assert_same_relevance(plain, disguised, STEPS, rule)


@pytest.mark.parametrize("reset_after", [True, False])
def test_a_gru_without_biases_conserves_relevance_wherever_it_resets(reset_after):
    gates = {"reset_after": reset_after, "recurrent_activation": "hard_sigmoid"}
    gru = layers.GRU(3, use_bias=False, **gates)
    model = over_steps(gru, layers.Dense(2, use_bias=False))
    assert_relevance_is_conserved(explain_and_compare_scores(model, STEPS))


def through_gru_that_resets_before(x, W, U, b, R, epsilon):
    """As `lrp_attention.through_gru`, where g = tanh(x W + (r h) U + b): r scales what U reads."""
    h, steps, size = np.zeros((len(x), len(U))), [], len(U)
    for t in range(x.shape[1]):
        gates = x[:, t] @ W[:, : 2 * size] + h @ U[:, : 2 * size] + b[: 2 * size]
        z, r = np.split(lrp_attention.sigmoid(gates), 2, axis=1)
        g = np.tanh(x[:, t] @ W[:, 2 * size :] + (r * h) @ U[:, 2 * size :] + b[2 * size :])
        after = z * h + (1 - z) * g
        steps.append((z, r, g, h, after))
        h = after
    R_x, both = np.zeros(x.shape), np.vstack([W, U])[:, 2 * size :]
    for t, (z, r, g, before, h) in reversed(list(enumerate(steps))):
        R_g, R = lrp.share((1 - z) * g, h) * R, lrp.share(z * before, h) * R
        read = np.hstack([x[:, t], r * before])
        R_read = lrp.received(lrp.epsilon(read, both, b[2 * size :], R_g, epsilon))
        R_x[:, t], R = R_read[:, : x.shape[2]], R + R_read[:, x.shape[2] :]
    return R_x


def test_a_gru_that_resets_before_agrees_with_a_walk_back_in_time():
    gru, head = layers.GRU(3, reset_after=False), layers.Dense(2)
    model = over_steps(gru, head)
    x = STEPS.astype("float64")
    last = ops.convert_to_numpy(gru(STEPS)).astype("float64")
    W, b = (weight.astype("float64") for weight in head.get_weights())
    scores = (last @ W + b) * [0, 1]
    R = lrp.received(lrp.epsilon(last, W, b, scores, 0.01))
    weights = [weight.astype("float64") for weight in gru.get_weights()]
    expected = through_gru_that_resets_before(x, *weights, R, 0.01)
    assert relative(explain(model, STEPS, xai.rules.Epsilon(0.01)).values, expected) < TOLERANCE


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_in_an_rnn_equals_the_layer_unrolled(kind):
    cell = getattr(layers, f"{kind}Cell")(3)
    layer = over_steps(KINDS[kind](3, unroll=True), layers.Dense(2))
    wrapped = over_steps(layers.RNN(cell), layers.Dense(2))
    assert_same_relevance(layer, wrapped, STEPS, xai.rules.ZPlus())


@pytest.mark.parametrize("setting", ["backwards", "sequences", "unrolled"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_masked_recurrent_layer_scores_as_the_model_and_padding_gets_nothing(kind, setting):
    settings = SETTINGS[setting]
    pooling = [layers.GlobalAveragePooling1D()] * ("sequences" in setting)
    model = over_tokens(KINDS[kind](3, **settings), *pooling, layers.Dense(2))
    assert not explain_and_compare_scores(model, TOKENS).values[TOKENS == 0].any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_padded_sequence_is_explained_as_the_short_one(kind):
    explainer = xai.LRP(over_tokens(KINDS[kind](3), layers.Dense(2), size=None), "epsilon_plus")
    a, b = (explainer(TOKENS[1:2, :length], target=1).values for length in (6, 2))
    np.testing.assert_allclose(a[:, :2], b, rtol=1e-4, atol=1e-6)


def test_masking_needs_no_rule_and_gives_masked_steps_nothing():
    model = over_steps(layers.Masking(), layers.LSTM(3), layers.Dense(2))
    x = STEPS * (TOKENS > 0)[:, :, None]
    assert not explain_and_compare_scores(model, x).values[TOKENS == 0].any()


class Decoded(keras.Model):
    def __init__(self, kind):
        super().__init__()
        self.encoder = KINDS[kind](3, return_state=True, use_bias=False)
        self.decoder = KINDS[kind](3, use_bias=False)
        self.top = layers.Dense(2, use_bias=False)

    def call(self, x):
        _, *states = self.encoder(x[:, :4])
        return self.top(self.decoder(x[:, 4:], initial_state=states))


@pytest.mark.parametrize("kind", KINDS)
def test_relevance_of_a_decoder_reaches_the_encoder_through_its_states(kind):
    model = Decoded(kind)
    model(STEPS)
    attribution = explain_and_compare_scores(randomized(model), STEPS)
    assert_relevance_is_conserved(attribution)
    assert np.abs(attribution.values[:, :4]).max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_a_stateful_layer_keeps_its_states_and_is_explained_from_them(kind):
    inputs = keras.Input(batch_shape=(3, 6, 4))
    recurrent = KINDS[kind](3, stateful=True)
    model = randomized(keras.Model(inputs, layers.Dense(2)(recurrent(inputs))))
    model(STEPS)
    before = [ops.convert_to_numpy(state.value) for state in recurrent.states]
    attribution = explain(model, STEPS)
    for state, value in zip(recurrent.states, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(state.value), value)
    own = ops.convert_to_numpy(model(STEPS))[:, 1]
    np.testing.assert_allclose(attribution.score, own, rtol=1e-4, atol=1e-6)


MERGES = {
    "concat": layers.Concatenate(),
    "sum": layers.Add(),
    "ave": layers.Average(),
    "mul": layers.Multiply(),
}


@pytest.mark.parametrize(
    ("kind", "mode"), [("LSTM", mode) for mode in MERGES] + [("GRU", "sum"), ("SimpleRNN", "mul")]
)
def test_a_bidirectional_layer_equals_two_layers_and_their_merge(kind, mode):
    both = layers.Bidirectional(KINDS[kind](3), merge_mode=mode)
    wrapped = over_steps(both, layers.Dense(2))
    inputs = keras.Input((6, 4))
    forward, backward = KINDS[kind](3), KINDS[kind](3, go_backwards=True)
    merged = MERGES[mode]([forward(inputs), backward(inputs)])
    apart = keras.Model(inputs, layers.Dense(2)(merged))
    apart.set_weights(wrapped.get_weights())
    assert_same_relevance(wrapped, apart, STEPS, xai.rules.Epsilon(0.01))


def test_stacked_bidirectional_layers_on_masked_tokens_score_as_the_model():
    wrapped = [layers.Bidirectional(layers.GRU(3, return_sequences=n)) for n in (True, False)]
    model = over_tokens(*wrapped, layers.Dense(2))
    assert not explain_and_compare_scores(model, TOKENS).values[TOKENS == 0].any()


def over_time(inner, outer):
    """Two models that share their weights: a layer over time, and what it is on all steps."""
    tail = [layers.Flatten(), layers.Dense(2)]
    frames = layers.Reshape((6, 2, 2))
    one = over_steps(frames, layers.TimeDistributed(inner), *tail)
    other = over_steps(frames, outer, *tail)
    for ours, theirs in zip(one.weights, other.weights, strict=True):
        theirs.assign(ops.reshape(ours, theirs.shape))
    return one, other


def test_layers_over_time_equal_those_of_an_axis_more():
    settings = {"filters": 3, "activation": "relu"}
    convolution = layers.Conv1D(kernel_size=2, **settings)
    pair = over_time(convolution, layers.Conv2D(kernel_size=(1, 2), **settings))
    assert_same_relevance(*pair, STEPS, xai.rules.ZPlus())
    nested = keras.Sequential([keras.Input((2, 2)), layers.Dense(3, "relu"), layers.Dense(2)])
    pair = over_time(nested, keras.Sequential([layers.Dense(3, "relu"), layers.Dense(2)]))
    assert_same_relevance(*pair, STEPS, xai.rules.ZPlus())


# What becomes of the tokens before the embedding, and which token each of its rows stands for.
LOOKUPS = {
    "as they are": (lambda i: i, range(6)),
    "slice": (lambda i: i[:, 1:5], range(1, 5)),
    "cast": (lambda i: ops.cast(i, "uint8"), range(6)),
    "reshape": (lambda i: ops.reshape(i, (-1, 2, 3)), range(6)),
    "flip": (lambda i: ops.flip(i, axis=1), range(6)[::-1]),
    "twice": (lambda i: ops.concatenate([i, i], axis=1), [*range(6), *range(6)]),
    "stack": (lambda i: ops.stack([i[:, 0], i[:, 3]], axis=1), [0, 3]),
    "clip": (lambda i: ops.clip(i, 0, 3), range(6)),
    "remainder": (lambda i: i % 4, range(6)),
    "where": (lambda i: ops.where(i > 4, 1, i), range(6)),
}


class Table(layers.Embedding):
    """An embedding of another class."""


@pytest.mark.parametrize(
    ("name", "table"),
    [("as they are", Table), *((name, layers.Embedding) for name in LOOKUPS)],
)
def test_a_token_gets_the_sum_over_its_vector(name, table):
    prepare, positions = LOOKUPS[name]
    tokens, embedding = keras.Input((6,), dtype="int32"), table(7, 4)
    vectors = embedding(prepare(tokens))
    inputs, top = keras.Input(vectors.shape[1:]), layers.Dense(2)
    tail = keras.Model(inputs, top(layers.Flatten()(layers.Dense(3, activation="relu")(inputs))))
    model = randomized(keras.Model(tokens, tail(vectors)))
    read = keras.Model(tokens, vectors).predict(TOKENS, verbose=0)
    per_vector = explain(tail, read).values.sum(axis=-1).reshape(len(TOKENS), -1)
    expected = np.zeros(TOKENS.shape)
    for column, position in enumerate(positions):
        expected[:, position] += per_vector[:, column]
    np.testing.assert_allclose(explain(model, TOKENS).values, expected, rtol=1e-4, atol=1e-6)


def test_an_embedding_of_positions_takes_its_part_from_the_tokens():
    tokens, dense = keras.Input((6,), dtype="int32"), layers.Dense(2, use_bias=False)
    shared, position = layers.Embedding(7, 4), layers.Embedding(6, 4)
    vectors = shared(tokens) + position(ops.arange(6))
    model = randomized(keras.Model(tokens, dense(layers.Flatten()(vectors))))
    kernel = dense.get_weights()[0][:, 1].reshape(6, 4)
    expected = (shared.get_weights()[0][TOKENS] * kernel).sum(axis=-1)
    np.testing.assert_allclose(explain(model, TOKENS).values, expected, rtol=1e-4, atol=1e-6)


UNKNOWN = {
    "stacked": (layers.RNN([layers.LSTMCell(3), layers.LSTMCell(2)], name="odd"), (6, 4)),
    "convolutional": (layers.ConvLSTM1D(2, 2, name="odd"), (3, 2, 4)),
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_a_recurrent_layer_without_a_rule_is_named(kind):
    layer, shape = UNKNOWN[kind]
    layer = type(layer).from_config(layer.get_config())
    parts = [keras.Input(shape), layer, layers.Flatten(), layers.Dense(2)]
    model, x = keras.Sequential(parts), STEPS.reshape(-1, *shape)
    with pytest.raises(ValueError, match=r"no rule for odd \("):
        xai.LRP(model, strict=True)
    with pytest.warns(UserWarning, match=r"no rule for odd \("):
        explainer = xai.LRP(model)
    own = ops.convert_to_numpy(model(x))[:, 1]
    np.testing.assert_allclose(explainer(x, target=1).score, own, rtol=1e-4, atol=1e-6)
