"""Every kind of model that Keras makes: subclassed, nested, shared, of many inputs and outputs."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers, ops

import xai
from kerasdl.backend import vjp
from tests.reference.distance import relative
from tests.reference.weights import randomized

TOLERANCE = 1e-5  # float32 rounds by 6e-8; sums of some tens of terms that cancel enlarge that


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def assert_relevance_is_gradient_times_input(model, x, target=1, **settings):
    """What LRP-0 is on ReLU nets without products; and no layer lacks a rule."""
    attribution = xai.LRP(model, xai.rules.Zero(), **settings)(x, target=target)
    leaves = keras.tree.map_structure(ops.convert_to_tensor, x)
    gradients = vjp(lambda x: model(x)[:, target], leaves)[1](ops.ones(4))
    expected = keras.tree.map_structure(lambda a, g: a * ops.convert_to_numpy(g), x, gradients)
    for ours, theirs in zip(*map(keras.tree.flatten, (attribution.values, expected)), strict=True):
        assert relative(ours, theirs) < TOLERANCE
    own = ops.convert_to_numpy(model(x))[:, target]
    np.testing.assert_allclose(attribution.score, own, rtol=1e-4, atol=1e-6)


class Body(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.hidden = layers.Dense(6, activation="relu", name="hidden")
        self.top = layers.Dense(3, name="top")

    def build(self, shape):
        self.scale = self.add_weight(shape=(6,), initializer="normal", name="scale")
        self.hidden.build(shape)
        self.top.build((None, 12))

    def call(self, x, training=False):
        h = self.scale * self.hidden(x)
        return self.top(ops.concatenate([h, ops.relu(0.5 - h)], axis=-1))


class Around(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        inputs = keras.Input((5,))
        self.functional = keras.Model(inputs, layers.Dense(3, activation="relu")(inputs))
        self.sequential = keras.Sequential([layers.Dense(4, activation="relu"), layers.Dense(3)])
        self.body = Body(name="body")

    def call(self, x):
        return self.functional(x) + self.sequential(x) + self.body(2 * x)


def fitted(model, x):
    model.compile("sgd", "mse")
    model.fit(x, np.zeros((4, 3)), verbose=0)


@pytest.mark.parametrize("build", [lambda model, x: model(x), fitted], ids=["called", "fitted"])
@pytest.mark.parametrize("kind", [Body, Around])
def test_a_subclassed_model_is_traced_however_it_was_built(kind, build):
    model, x = kind(), normal(4, 5)
    build(model, x)
    randomized(model).trainable = False
    before = [weight.copy() for weight in model.get_weights()]
    assert_relevance_is_gradient_times_input(model, x, strict=True)
    np.testing.assert_equal(model.get_weights(), before)


class Pair(keras.Model):
    def __init__(self, keys, **kwargs):
        super().__init__(**kwargs)
        self.keys, self.top = keys, layers.Dense(3)
        self.hidden = layers.Dense(6, activation="relu")

    def call(self, inputs):
        a, b = (inputs[key] for key in self.keys)
        return self.top(self.hidden(a) - 2 * self.hidden(b))


LEFT, RIGHT = normal(4, 5), normal(4, 5, seed=1)


@pytest.mark.parametrize("x", [[LEFT, RIGHT], (LEFT, RIGHT), {"a": LEFT, "b": RIGHT}], ids=type)
def test_a_subclassed_model_takes_structures_of_inputs(x):
    model = Pair(("a", "b") if isinstance(x, dict) else (0, 1))
    model(x)
    assert_relevance_is_gradient_times_input(randomized(model), x, strict=True)


def test_a_subclassed_model_within_a_functional_one_is_opened():
    inputs = keras.Input((5,))
    model = keras.Model(inputs, layers.Dense(3)(layers.ReLU()(Body(name="body")(inputs))))
    assert_relevance_is_gradient_times_input(randomized(model), normal(4, 5), strict=True)
    assert "body/hidden" in xai.LRP(model).summary().layer.tolist()


class Several(keras.Model):
    def call(self, a, b):
        return a + b


def test_a_call_of_several_arguments_is_refused_by_their_names():
    model = Several()
    model(LEFT, RIGHT)
    with pytest.raises(ValueError, match=r"takes several arguments: a\w*, b\w*\. Let it take one"):
        xai.LRP(model)


class Reshaped(Body):
    def call(self, x):
        return self.top(ops.reshape(ops.stack([x, -x], 1), (ops.shape(x)[0], -1)))


def test_a_call_may_ask_for_the_batch_size():
    model, x = Reshaped(), normal(4, 6)
    model(x)
    assert_relevance_is_gradient_times_input(model, x)


class Opaque(Body):
    def call(self, x):
        ones = ops.ones((ops.shape(x)[0], 6))
        return self.top(ops.concatenate([self.hidden(x), ones], axis=-1))


def test_a_call_that_cannot_be_traced_is_one_node_with_its_own_gradient():
    model, x = Opaque(name="opaque"), normal(4, 5)
    model(x)
    with pytest.warns(UserWarning, match=r"no rule for opaque \(Opaque\)"):
        assert_relevance_is_gradient_times_input(model, x)
    with pytest.raises(ValueError, match=r"no rule for opaque \(Opaque\)"):
        xai.LRP(model, strict=True)


OPERATIONS = {
    "scaling and offset": lambda h: 1.0 - 2 * h / 3 + ops.sum(h, axis=1, keepdims=True),
    "concatenation of slices": lambda h: ops.concatenate([h[:, ::2], -h[:, 3:]], axis=1),
    "einsum": lambda h: ops.einsum("bi,ij->bj", h, np.eye(6, 4, dtype="float32")),
    "boolean mask": lambda h: h * ops.cast(h > 0.3, "float32"),
    "where": lambda h: ops.where(h > 0.3, h, 0.1 * h),
    "greatest": lambda h: ops.top_k(h, 3)[0],
    "ones": lambda h: ops.concatenate([h, ops.ones_like(h)], axis=1),
    "absolute value": lambda h: ops.abs(h - 0.3),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_linear_or_choosing_operation_has_its_own_gradient(name):
    inputs = keras.Input((5,))
    h = layers.Dense(6, activation="relu")(inputs)
    model = randomized(keras.Model(inputs, layers.Dense(3)(OPERATIONS[name](h))))
    assert_relevance_is_gradient_times_input(model, normal(4, 5), strict=True)


@pytest.mark.parametrize("factor", [ops.ones_like, ops.stop_gradient, ops.sign])
def test_a_factor_without_a_gradient_takes_no_relevance(factor):
    inputs = keras.Input((5,))
    h = layers.Dense(6, use_bias=False)(inputs)
    model = keras.Model(inputs, layers.Dense(3, use_bias=False)(h * factor(h)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        attribution = xai.LRP(model, xai.rules.Zero())(normal(4, 5), target=1)
    scale = np.abs(attribution.values).sum(axis=1)
    np.testing.assert_allclose(attribution.residual / scale, 0, atol=TOLERANCE)


def many_outputs():
    inputs = keras.Input((5,))
    h = layers.Dense(4, activation="relu")(inputs)
    kind, size = layers.Dense(3, "softmax", name="kind"), layers.Dense(1, "sigmoid", name="size")
    image = layers.Reshape((2, 2, 1), name="map")
    return randomized(keras.Model(inputs, [kind(h), size(h), ops.sum(h, axis=1), image(h)]), seed=4)


def test_a_pair_names_one_of_several_outputs():
    model, x = many_outputs(), normal(4, 5)
    kind, size, *_ = (ops.convert_to_numpy(y) for y in model(x))
    explainer = xai.LRP(model, strict=True)
    by_name, by_index = explainer(x, target=("kind", 2)), explainer(x, target=(0, 2))
    np.testing.assert_array_equal(by_name.values, by_index.values)
    margin = by_name.score - explainer(x, target=("kind", 0)).score
    np.testing.assert_allclose(margin, np.log(kind[:, 2] / kind[:, 0]), rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(explainer(x, target=("kind", None)).target, kind.argmax(axis=1))
    odds = np.exp(explainer(x, target=("size", 0)).score)
    np.testing.assert_allclose(odds / (1 + odds), size[:, 0], rtol=1e-5)


@pytest.mark.parametrize("target", [("sort", 0), (9, 0), (-1, 0), 1, None])
def test_a_target_of_no_output_lists_the_outputs(target):
    with pytest.raises(ValueError, match=r"has the outputs 'kind', 'size', 'sum\w*', 'map': a"):
        xai.LRP(many_outputs())(normal(4, 5), target=target)


def test_an_image_output_asks_for_a_callable_which_is_of_no_single_output():
    explainer, x = xai.LRP(many_outputs()), normal(4, 5)
    with pytest.raises(ValueError, match="a target is a callable that makes one score per row"):
        explainer(x, target=("map", 0))
    attribution = explainer(x, target=lambda outputs: outputs[3][:, 0, 1, 0])
    assert attribution.target is None
    assert "target_output" not in attribution.settings


@pytest.mark.parametrize("rule", [xai.rules.Zero(), xai.rules.Gamma(0.5), xai.rules.ZPlus()])
def test_an_output_that_a_relu_reads_too_keeps_its_negative_part(rule):
    inputs, dense = keras.Input((5,)), layers.Dense(3, name="signed")
    signed = dense(inputs)
    model = randomized(keras.Model(inputs, [signed, layers.Dense(2)(layers.ReLU()(signed))]))
    x = normal(6, 5)
    both = xai.LRP(model, rule)(x, target=("signed", 1))
    assert np.any(both.score < 0)
    np.testing.assert_allclose(both.score, ops.convert_to_numpy(dense(x))[:, 1], rtol=1e-5)
    alone = xai.LRP(keras.Model(inputs, signed), rule)(x, target=1)
    np.testing.assert_allclose(both.values, alone.values, rtol=1e-4, atol=1e-6)


def convolutional(dtype="float32", size=6):
    parts = [
        layers.Conv2D(4, 3, activation="relu", dtype=dtype, name="maps", use_bias=False),
        layers.BatchNormalization(dtype=dtype, center=False),
        layers.GlobalAveragePooling2D(dtype=dtype),
        layers.Dense(3, activation="softmax", dtype=dtype, name="top", use_bias=False),
    ]
    return randomized(keras.Sequential([keras.Input((size, size, 2)), *parts]))


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16", "float16", "float64"])
def test_a_policy_of_another_precision_equals_its_float32_clone(dtype):
    if dtype == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX has no float64 unless it is configured to")
    model, clone, x = convolutional(dtype), convolutional(), normal(4, 6, 6, 2)
    clone.set_weights([weight.astype("float32") for weight in model.get_weights()])
    a, b = (xai.LRP(m, strict=True)(x, target=1, layers=["maps"]) for m in (model, clone))
    for ours, theirs in ((a.values, b.values), (a.layers["maps"], b.layers["maps"])):
        assert relative(ours, theirs) < TOLERANCE


def test_a_probability_is_explained_by_its_own_gradient():
    model, x = convolutional(), normal(4, 6, 6, 2)
    assert_relevance_is_gradient_times_input(model, x, output="probability", strict=True)


def test_relevance_through_each_channel_sums_to_the_whole():
    explainer, x = xai.LRP(convolutional(), "epsilon_plus"), normal(4, 6, 6, 2)
    parts = [explainer(x, target=1, through={"maps": channel}).values for channel in range(4)]
    assert relative(sum(parts), explainer(x, target=1).values) < TOLERANCE
    chosen = np.arange(4) == np.array([[0], [2], [3], [2]])
    rows = explainer(x, target=1, through={"maps": chosen}).values
    np.testing.assert_allclose(rows[1], parts[2][1], rtol=1e-4, atol=1e-7)


MISTAKES = {
    "name": ({"mops": 0}, ValueError, "has no layer 'mops'; the nearest are 'maps'"),
    "channel": ({"maps": [0, 4]}, ValueError, "'maps' has 4 channels, 0 to 3; received 4"),
    "kind": ({"maps": 0.5}, TypeError, "Channels of 'maps' are an int, several, or a bool array"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_concept_says_what_is_right(mistake):
    through, error, message = MISTAKES[mistake]
    with pytest.raises(error, match=message):
        xai.LRP(convolutional())(normal(4, 6, 6, 2), through=through)


@pytest.mark.parametrize("method", ["guided_backprop", "deconvnet"])
def test_a_rectified_gradient_equals_the_one_by_hand(method):
    hidden = [layers.Dense(8, activation="relu") for _ in range(2)]
    model = randomized(keras.Sequential([keras.Input((5,)), *hidden, layers.Dense(3)]))
    (V, b), (W, c), (U, _) = (layer.get_weights() for layer in model.layers)
    x = normal(4, 5)
    y = x @ V + b
    z = np.maximum(y, 0) @ W + c
    open_y, open_z = (y > 0, z > 0) if method == "guided_backprop" else (1, 1)
    g = np.maximum(np.maximum(U[:, 1] * np.ones((4, 1)), 0) * open_z @ W.T, 0) * open_y @ V.T
    assert relative(xai.LRP(model, method)(x, target=1).values, g) < TOLERANCE


def test_excitation_backprop_is_z_plus_everywhere():
    model, x = convolutional(), np.abs(normal(4, 6, 6, 2))
    model.get_layer("top").kernel.assign(np.abs(normal(4, 3)))
    ours = xai.LRP(model, "excitation_backprop")(x, target=1).values
    np.testing.assert_array_equal(ours, xai.LRP(model, xai.rules.ZPlus())(x, target=1).values)
    assert ours.min() >= 0


def test_a_model_of_any_size_equals_one_of_a_fixed_size():
    free = xai.LRP(convolutional(size=None), strict=True)
    for size in (6, 5):
        x = normal(4, size, size, 2)
        fixed = xai.LRP(convolutional(size=size))(x, target=1, layers=["maps"])
        assert relative(free(x[:1], target=1).values, fixed.values[:1]) < TOLERANCE
        of_maps = free(x, target=1, layers=["maps"]).layers["maps"]
        assert relative(of_maps, fixed.layers["maps"]) < TOLERANCE
