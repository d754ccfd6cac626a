"""Opening a model: what the methods refuse at the door, and what they explain."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import xai
from xai.graph import call
from xai.model import open_model
from xai.tracing import flatten


def dense(activation=None, units=3):
    return keras.Sequential(
        [keras.Input((4,)), layers.Dense(5, activation="relu"), layers.Dense(units, activation)]
    )


METHODS = {
    "lrp": lambda model: xai.LRP(model),
    "shapley": lambda model: xai.SampledShapley(model, 0.0),
}


@pytest.fixture(params=METHODS)
def method(request):
    return METHODS[request.param]


ROWS = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (ROWS[0], r"takes inputs of shape \('batch', 4\); received \(4,\).*x\[np.newaxis\]"),
        (ROWS[:, :3], r"takes inputs of shape \('batch', 4\); received \(3, 3\)"),
        (ROWS[:0], r"empty batch of shape \(0, 4\)"),
        (np.where(ROWS[1, 2] == ROWS, np.nan, ROWS), r"in 1 of 3 rows \(first: row 1\)"),
        ([ROWS, ROWS], r"takes inputs of shape \('batch', 4\); received \(2, 3, 4\)"),
        ({"x": ROWS}, r"takes inputs of the structure \(None, 4\); received dict"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(method, x, message):
    with pytest.raises(ValueError, match=message):
        method(dense())(x)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (3, r"The target 3 is out of range: the model .* has 3 outputs, 0 to 2"),
        (-1, "The target -1 is out of range"),
        ([0, 1, 7], "The target 7 is out of range"),
        ([0, 1], r"received int64 of shape \(2,\) for 3 rows"),
        (1.5, "received float64"),
        (lambda scores: scores, r"one value per row, \(batch,\)"),
    ],
)
def test_targets_that_do_not_fit_are_refused(method, target, message):
    with pytest.raises(ValueError, match=message):
        method(dense())(ROWS, target=target)


class Subclassed(keras.Model):
    def call(self, x):
        return x


def test_an_unbuilt_model_is_refused(method):
    with pytest.raises(ValueError, match="is not built: its input shape is unknown"):
        method(keras.Sequential([layers.Dense(3)], name="blank"))


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (Subclassed(), ValueError, r"is not built: .* Call it on a batch first, model\(x\[:1\]\)"),
        ("model.keras", TypeError, "Expected a keras.Model; received str"),
        (layers.Dense(2), TypeError, "Expected a keras.Model; received Dense"),
    ],
)
def test_what_cannot_be_opened_is_refused(method, model, error, message):
    with pytest.raises(error, match=message):
        method(model)


@pytest.mark.parametrize("cut", [ops.stop_gradient, ops.round])
def test_a_model_without_a_gradient_path_is_refused(cut):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(3)(cut(layers.Dense(4)(inputs))))
    with pytest.warns(UserWarning, match="LRP has no rule for"):
        explainer = xai.LRP(model)
    with pytest.raises(ValueError, match="has no gradient path from its inputs"):
        explainer(ROWS)


def test_a_dead_row_is_no_missing_gradient_path():
    model = dense()
    kernel, bias = model.layers[0].get_weights()
    model.layers[0].set_weights([np.abs(kernel), bias])
    attribution = xai.LRP(model)(-np.ones((1, 4), "float32"))
    assert not attribution.values.any()


def heads():
    linear = dense()
    fused = dense("softmax")
    layer = keras.Sequential([linear, layers.Softmax()])
    activation = keras.Sequential([linear, layers.Activation("softmax")])
    inputs = keras.Input((4,))
    operation = keras.Model(inputs, ops.softmax(linear(inputs)))
    nested = keras.Sequential([keras.Input((4,)), dense("softmax")])
    for model in (fused, nested):
        model.set_weights(linear.get_weights())
    models = {"fused": fused, "layer": layer, "activation": activation}
    return linear, {**models, "operation": operation, "nested": nested}


def test_a_final_softmax_is_left_off_however_it_is_attached():
    linear, models = heads()
    expected = linear.predict(ROWS, verbose=0)
    for name, model in models.items():
        opened = open_model(model)
        scores = ops.convert_to_numpy(opened.scores(ops.convert_to_tensor(ROWS)))
        np.testing.assert_allclose(scores, expected, rtol=1e-5, err_msg=name)
        assert opened.head is not None


def test_probability_keeps_the_head(method):
    model = dense("softmax")
    opened = open_model(model, output="probability")
    scores = ops.convert_to_numpy(opened.scores(ops.convert_to_tensor(ROWS)))
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
    with pytest.raises(ValueError, match="output is one of 'auto', 'probability'; received 'logi"):
        open_model(model, output="logits")


def test_a_sigmoid_head_of_one_unit_is_explained_as_its_logit(method):
    model = dense("sigmoid", units=1)
    probability = model.predict(ROWS, verbose=0)[:, 0]
    expected = np.log(probability / (1 - probability))
    np.testing.assert_allclose(method(model)(ROWS).score, expected, rtol=1e-4)


def test_the_graph_replays_the_model():
    linear, models = heads()
    for model in (linear, *models.values()):
        graph = flatten(model)
        replayed = graph.run(ops.convert_to_tensor(ROWS), call)
        (replayed,) = keras.tree.flatten(replayed)
        expected = model.predict(ROWS, verbose=0)
        np.testing.assert_allclose(ops.convert_to_numpy(replayed), expected, rtol=1e-5)


def test_keras_still_has_the_private_names_that_opening_a_model_needs():
    """Fails when a Keras release moves one: then mend xai.graph."""
    inputs = keras.Input((4,))
    functional = keras.Model(inputs, layers.Dense(2)(inputs))
    for name in ("_nodes_by_depth", "_inputs_struct", "_outputs_struct"):
        assert hasattr(functional, name), name
    assert hasattr(dense()._functional, "_nodes_by_depth")
    node = functional.layers[-1]._inbound_nodes[0]
    assert node.arguments.args[0] is node.input_tensors[0]
    assert not node.is_input


def test_the_methods_of_the_one_liner_are_listed():
    model = dense()
    attribution = xai.explain(model, ROWS, method="shapley", baseline=0.0)
    assert attribution.method == "shapley"
    np.testing.assert_array_equal(
        xai.explain(model, ROWS, target=1).values, xai.LRP(model)(ROWS, target=1).values
    )
    with pytest.raises(ValueError, match=r"No attribution method is called 'gradient'; .*'lrp'"):
        xai.explain(model, ROWS, method="gradient")
