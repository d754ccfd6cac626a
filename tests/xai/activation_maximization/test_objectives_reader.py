"""The reader of a model: any model, its layers by name, and what it refuses at the door."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from xai.activation_maximization.objectives import Reader
from xai.model import open_model
from xai.objectives import (
    Channel,
    Direction,
    Diversity,
    Layer,
    Logit,
    LogProbability,
    Neuron,
)


def block(name="block"):
    return keras.Sequential(
        [keras.Input((4,)), layers.Dense(4, activation="relu", name="inner")], name=name
    )


def shared():
    """A model within a model, called twice."""
    inputs, inner = keras.Input((4,)), block()
    return keras.Model(inputs, layers.Dense(2, name="scores")(inner(inner(inputs))))


def two_blocks():
    inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Dense(2)(block("second")(block("first")(inputs))))


def several_outputs():
    inputs = keras.Input((4,))
    x = layers.Dense(4, activation="relu", name="inner")(inputs)
    kind = layers.Dense(3, activation="softmax", name="kind")(x)
    return keras.Model(inputs, [layers.Dense(2, activation="sigmoid", name="tags")(x), kind])


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.inner = layers.Dense(4, activation="relu", name="inner")
        self.top = layers.Dense(3, name="top")

    def call(self, x):
        return self.top(ops.tanh(self.inner(x)))


def subclassed():
    model = Subclassed()
    model(rows())
    return model


def maps(data_format="channels_last"):
    return keras.Sequential(
        [keras.Input((4, 6, 5)), layers.ZeroPadding2D(1, data_format=data_format, name="maps")]
    )


def rows(count=3):
    return np.random.default_rng(0).normal(size=(count, 4)).astype("float32")


def readings(model, names=(), output=None, x=None):
    tensor = ops.convert_to_tensor(rows() if x is None else x)
    return Reader(open_model(model), names, output)(tensor)


def relu(layer, x):
    return np.maximum(x @ ops.convert_to_numpy(layer.kernel) + ops.convert_to_numpy(layer.bias), 0)


@pytest.mark.parametrize("name", ["inner", "block/inner", "block/inner#2"])
def test_layers_of_nested_models_are_read_by_name_and_by_path(name):
    model, x = shared(), rows()
    layer = model.get_layer("block").get_layer("inner")
    found = ops.convert_to_numpy(readings(model, (name,)).layer(name))
    expected = relu(layer, relu(layer, x)) if "#2" in name else relu(layer, x)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_nested_model_is_read_as_its_output():
    model = two_blocks()
    found = readings(model, ("first", "first/inner"))
    np.testing.assert_array_equal(
        *(ops.convert_to_numpy(found.layer(name)) for name in ("first", "first/inner"))
    )


def test_a_name_that_several_nested_models_have_is_refused_with_their_paths():
    with pytest.raises(ValueError, match=r"layers 'inner': name one of 'first/inner', 'second/in"):
        readings(two_blocks(), ("inner",))


def test_layers_of_a_model_with_a_call_of_its_own_are_read():
    model = subclassed()
    found = readings(model, ("inner",))
    np.testing.assert_allclose(
        ops.convert_to_numpy(found.layer("inner")), relu(model.inner, rows()), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(
        ops.convert_to_numpy(found.scores), ops.convert_to_numpy(model(rows())), rtol=1e-5
    )


@pytest.mark.parametrize("output", ["kind", 1])
def test_the_output_that_has_the_classes_is_chosen_by_name_or_index(output):
    model = several_outputs()
    tags, kind = map(ops.convert_to_numpy, model(rows()))
    found = readings(model, output=output)
    np.testing.assert_allclose(np.exp(ops.convert_to_numpy(found.log_probabilities)), kind, 1e-5)
    found = readings(model, output="tags")
    np.testing.assert_allclose(np.exp(ops.convert_to_numpy(found.log_probabilities)), tags, 1e-5)


def test_of_several_outputs_the_layers_are_read_without_a_choice():
    model, objective = several_outputs(), Channel("inner", 2)
    reader = Reader.of(open_model(model), [objective])
    found = objective(reader(ops.convert_to_tensor(rows())))
    expected = relu(model.get_layer("inner"), rows())[:, 2]
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, rtol=1e-5, atol=1e-6)


def test_a_model_of_several_inputs_is_read():
    inputs = {"a": keras.Input((4,), name="a"), "b": keras.Input((4,), name="b")}
    model = keras.Model(inputs, layers.Add(name="sum")([inputs["a"], inputs["b"]]))
    x = {name: ops.convert_to_tensor(rows() + shift) for name, shift in (("a", 0), ("b", 1))}
    found = Reader(open_model(model), ("sum",))(x)
    np.testing.assert_allclose(ops.convert_to_numpy(found.layer("sum")), 2 * rows() + 1, rtol=1e-6)


def test_the_data_format_of_a_layer_says_where_its_channels_are():
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 5)).astype("float32")
    first = readings(maps("channels_first"), ("maps",), x=x)
    assert first.channels("maps").shape == (2, 8 * 7, 4)
    last = readings(maps(), ("maps",), x=x)
    assert last.channels("maps").shape == (2, 6 * 8, 5)
    assert Reader(open_model(maps("channels_first")), ("maps",)).num_channels("maps") == 4


def test_maps_of_any_size_have_channels():
    model = keras.Sequential([keras.Input((None, None, 2)), layers.Conv2D(3, 1, name="maps")])
    objective, x = Channel("maps", 1), np.ones((2, 4, 5, 2), "float32")
    reader = Reader.of(open_model(model), [objective, Diversity("maps"), Neuron("maps", (9, 9, 2))])
    assert ops.convert_to_numpy(objective(reader(ops.convert_to_tensor(x)))).shape == (2,)


def test_what_a_mixed_policy_computes_is_read_in_float32():
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(4, name="inner", dtype="mixed_bfloat16"),
            layers.Dense(2, dtype="mixed_bfloat16"),
        ]
    )
    found = readings(model, ("inner",))
    for tensor in (found.scores, found.layer("inner"), found.log_probabilities):
        assert keras.backend.standardize_dtype(tensor.dtype) == "float32"


def test_the_layer_that_makes_the_scores_is_read_without_its_softmax():
    model = several_outputs()
    found = readings(model, ("kind",), "kind")
    np.testing.assert_array_equal(*map(ops.convert_to_numpy, (found.layer("kind"), found.scores)))


def test_reading_leaves_the_model_as_it_is():
    model = shared()
    before = [weight.copy() for weight in model.get_weights()]
    readings(model, ("inner",))
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert [layer.name for layer in model.layers[1:]] == ["block", "scores"]


@pytest.mark.parametrize(
    ("model", "objective", "message"),
    [
        (shared, Channel("iner", 0), r"has no layer 'iner'; the nearest are '"),
        (shared, Layer(3), r"has no layer 3; the nearest are '"),
        (shared, LogProbability(2), "class 2 is out of range: the model .* has 2 outputs, 0 to 1"),
        (shared, 2 * Logit(7) + Logit(0), "class 7 is out of range"),
        (several_outputs, Logit(0), "has the outputs 'tags', 'kind': choose .* by output="),
        (maps, Logit(0), r"outputs of shape \('batch', 6, 8, 5\), which are no classes"),
        (maps, Channel("maps", 5), "layer 'maps' has 5 channels, 0 to 4; received 5"),
        (maps, Neuron("maps", 3), r"of shape \('batch', 6, 8, 5\).*last 3; received \(3,\)"),
        (maps, Neuron("maps", (0, 8, 0)), r"an int below each of .*; received \(0, 8, 0\)"),
        (maps, Direction("maps", (1, 2)), "has 5 channels; received a vector of 2 numbers"),
    ],
)
def test_what_a_model_does_not_have_is_refused(model, objective, message):
    with pytest.raises(ValueError, match=message):
        Reader.of(open_model(model()), [objective])


def test_a_layer_without_channels_is_refused():
    inputs = keras.Input((4,))
    flat = keras.layers.Lambda(lambda x: x[:, 0], output_shape=(), name="flat")(inputs)
    model = open_model(keras.Model(inputs, flat))
    for objective in (Channel("flat", 0), Layer("flat"), Diversity("flat")):
        with pytest.raises(ValueError, match=r"'flat' has outputs of shape \(None,\), not"):
            Reader.of(model, [objective])


def test_a_layer_of_several_outputs_is_refused():
    inputs = keras.Input((6, 4))
    outputs = layers.LSTM(3, return_state=True, name="memory")(inputs)
    with pytest.raises(ValueError, match=r"'memory' has outputs of shape .*a layer of one output"):
        readings(keras.Model(inputs, outputs[0]), ("memory",))


@pytest.mark.parametrize("output", ["king", 2, -1])
def test_an_unknown_output_is_refused(output):
    with pytest.raises(ValueError, match=f"has no output {output!r}; it has 'tags', 'kind'"):
        readings(several_outputs(), output=output)
