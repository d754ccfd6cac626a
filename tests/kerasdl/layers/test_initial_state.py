import keras
import numpy as np
import pytest

from kerasdl.layers import InitialState
from tests.reference import layers

X = np.random.default_rng(0).normal(size=(3, 4, 2)).astype("float32")
RECURRENT = {
    "rnn": lambda **k: keras.layers.SimpleRNN(2, **k),
    "gru": lambda **k: keras.layers.GRU(2, **k),
    "lstm": lambda **k: keras.layers.LSTM(2, **k),
    "stacked": lambda **k: keras.layers.RNN(
        [keras.layers.LSTMCell(3), keras.layers.GRUCell(2)], **k
    ),
    "both directions": lambda **k: keras.layers.Bidirectional(keras.layers.LSTM(2, **k)),
}
NUM_STATES = {"rnn": 1, "gru": 1, "lstm": 2, "stacked": 3, "both directions": 4}
every_kind = pytest.mark.parametrize("kind", RECURRENT)


def numpy(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def randomized(layer):
    random = np.random.default_rng(1)
    layer.set_weights([random.normal(size=w.shape) / 2 for w in layer.weights])
    return layer


def test_values_equal_the_formula():
    gru = keras.layers.GRU(2)
    layer = InitialState(gru)
    layer.build(X.shape)
    randomized(layer)
    start = np.broadcast_to(numpy(layer.states[0]), (3, 2))
    expected = layers.gru(
        X, *map(numpy, (gru.cell.kernel, gru.cell.recurrent_kernel, gru.cell.bias)), start
    )
    np.testing.assert_allclose(numpy(layer(X)), expected, atol=1e-5)


@every_kind
def test_a_learned_state_begins_as_the_layer_alone(kind):
    inner = RECURRENT[kind]()
    np.testing.assert_allclose(numpy(InitialState(inner)(X)), numpy(inner(X)), atol=1e-6)


@every_kind
def test_each_state_is_learned_and_matters(kind):
    layer = InitialState(RECURRENT[kind]())
    before = numpy(layer(X))
    assert len(layer.states) == NUM_STATES[kind]
    for state in layer.states:
        state.assign(np.ones(state.shape))
        after = numpy(layer(X))
        assert (np.abs(after - before).max(axis=1) > 1e-4).all()
        before = after


def test_fit_trains_the_states():
    layer = InitialState(keras.layers.LSTM(2))
    model = keras.Sequential([keras.Input((None, 2)), layer])
    model.compile(optimizer=keras.optimizers.SGD(0.5), loss="mse")
    model.fit(X, np.ones((3, 2)), verbose=0)
    assert all(np.abs(numpy(state)).min() > 1e-5 for state in layer.states)
    assert not any(numpy(state).ndim > 1 for state in layer.states)


@every_kind
def test_noise_differs_from_row_to_row_in_training_and_is_off_at_inference(kind):
    inner = RECURRENT[kind]()
    layer = InitialState(inner, "noise", stddev=1.0, seed=0)
    same_rows = np.repeat(X[:1], 3, axis=0)
    first, second = (numpy(layer(same_rows, training=True)) for _ in range(2))
    assert len(np.unique(first[:, 0])) == 3
    assert (first != second).all()
    np.testing.assert_allclose(numpy(layer(X)), numpy(inner(X)), atol=1e-6)


def test_noise_has_the_standard_deviation_asked_for():
    class Keep(keras.layers.Layer):
        """A cell that keeps its state."""

        state_size = 50

        def call(self, inputs, states):
            return states[0], states

    layer = InitialState(keras.layers.RNN(Keep()), "noise", stddev=3.0, seed=0)
    y = numpy(layer(np.zeros((200, 1, 1)), training=True))
    assert y.std() == pytest.approx(3, rel=0.04)  # 5.7 standard deviations
    assert abs(y.mean()) < 0.15


@pytest.mark.parametrize("kind", ["gru", "both directions"])
def test_masked_steps_do_not_count(kind):
    layer = InitialState(RECURRENT[kind](), initializer="ones")
    mask = np.array([[1, 1, 0, 0]] * 3, bool)
    np.testing.assert_allclose(numpy(layer(X, mask=mask)), numpy(layer(X[:, :2])), atol=1e-6)


def test_a_mask_comes_with_the_input_and_goes_on_with_sequences():
    tokens = np.array([[1, 2, 0, 0]])
    embedded = keras.layers.Embedding(3, 2, mask_zero=True)(tokens)
    y = InitialState(keras.layers.GRU(2, return_sequences=True), initializer="ones")(embedded)
    pooled = numpy(keras.layers.GlobalAveragePooling1D()(y))
    np.testing.assert_allclose(pooled, numpy(y)[:, :2].mean(axis=1), rtol=1e-5)


def test_sequences_and_states_are_returned_as_the_layer_does():
    inputs = keras.Input((None, 2))
    inner = keras.layers.LSTM(3, return_sequences=True, return_state=True)
    outputs = InitialState(inner)(inputs)
    assert [tuple(y.shape) for y in outputs] == [(None, None, 3), (None, 3), (None, 3)]
    sequences, last, _ = keras.Model(inputs, outputs)(X)
    np.testing.assert_allclose(numpy(sequences)[:, -1], numpy(last), atol=1e-6)


def test_mixed_precision_gives_float16():
    layer = InitialState(keras.layers.GRU(2, dtype="mixed_float16"), initializer="ones")
    assert keras.backend.standardize_dtype(layer(X).dtype) == "float16"
    assert layer.states[0].dtype == "float32"


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match=r"InitialState\(mode='zero'\).*'learned', 'noise'"):
        InitialState(keras.layers.GRU(2), "zero")


@pytest.mark.parametrize("stddev", [-1, float("nan"), None])
def test_a_negative_standard_deviation_is_refused(stddev):
    with pytest.raises(ValueError, match=r"InitialState\(stddev=.*at least 0. Use 0.1"):
        InitialState(keras.layers.GRU(2), "noise", stddev)


def test_a_layer_without_state_is_refused():
    with pytest.raises(ValueError, match=r"a Dense has no state. Wrap a recurrent layer"):
        InitialState(keras.layers.Dense(2))


def test_a_stateful_layer_is_refused():
    with pytest.raises(ValueError, match="stateful and goes on from its last state"):
        InitialState(keras.layers.GRU(2, stateful=True))
