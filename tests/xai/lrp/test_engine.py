"""Laws of layer-wise relevance propagation, and agreement with zennit's reference relevances."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import xai
from kerasdl.backend import vjp
from tests.reference.distance import relative

FIXTURES = ("mlp", "cnn", "bn_cnn", "resnet")

REFERENCES = {
    "zero": xai.rules.Zero(),
    "epsilon_1e-6": xai.rules.Epsilon(1e-6),
    "epsilon_0.25": xai.rules.Epsilon(0.25),
    "gamma_0.25": xai.rules.Gamma(0.25),
    "zplus": xai.rules.ZPlus(),
    "alpha2_beta1": xai.rules.AlphaBeta(2.0),
    "wsquare": xai.rules.WSquare(),
    "flat": xai.rules.Flat(),
    "epsilon_plus": "epsilon_plus",
    "epsilon_alpha2_beta1": "epsilon_alpha2_beta1",
    "epsilon_plus_flat": "epsilon_plus_flat",
    "epsilon_gamma_box": xai.composites.epsilon_gamma_box(low=-4, high=4),
}


@pytest.fixture(scope="session")
def references(pytestconfig):
    folder = pytestconfig.rootpath / "tests/fixtures/lrp"
    models = {name: keras.saving.load_model(folder / f"{name}.keras") for name in FIXTURES}
    return {name: (models[name], dict(np.load(folder / f"{name}.npz"))) for name in FIXTURES}


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("name", FIXTURES)
def test_relevances_agree_with_zennit(references, name, reference):
    model, arrays = references[name]
    if f"R/{reference}" not in arrays:
        pytest.skip("no reference: relevance meets a pooling window of zeros")
    attribution = xai.LRP(model, REFERENCES[reference], strict=True)(arrays["x0"])
    expected = arrays[f"R/{reference}"]
    # The references are float64, ours float32; zennit stabilizes sums and average pooling besides.
    distance = np.linalg.norm(attribution.values - expected) / np.linalg.norm(expected)
    assert distance < 1e-4
    np.testing.assert_array_equal(attribution.target, arrays["target"])
    rows = np.arange(len(expected))
    np.testing.assert_allclose(
        attribution.score, arrays["logits"][rows, arrays["target"]], rtol=1e-5
    )


def convolutional(use_bias=True, **head):
    inputs = keras.Input((8, 8, 2))
    x = layers.Conv2D(6, 3, activation="relu", use_bias=use_bias, bias_initializer="normal")(inputs)
    y = layers.Conv2D(6, 3, padding="same", activation="relu", use_bias=use_bias)(x)
    x = layers.MaxPooling2D()(layers.Add()([x, y]))
    x = layers.Dropout(0.5)(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(4, use_bias=use_bias, **head)(x))


def images(count=3, low=-1.0):
    return np.random.default_rng(1).uniform(low, 1.0, (count, 8, 8, 2)).astype("float32")


@pytest.mark.parametrize("rule", [xai.rules.Zero(), xai.rules.ZPlus(), "epsilon_plus"])
def test_relevance_is_conserved_without_biases(rule):
    attribution = xai.LRP(convolutional(use_bias=False), rule)(images())
    # The stabilizer 1e-6 of z+ absorbs that much of pre-activations of order one.
    np.testing.assert_allclose(attribution.residual, 0, atol=2e-5 * np.abs(attribution.score).max())


def test_residual_is_what_biases_absorbed():
    attribution = xai.LRP(convolutional())(images())
    assert (np.abs(attribution.residual) > 1e-3).all()
    total = attribution.values.sum(axis=(1, 2, 3), dtype="float64")
    np.testing.assert_allclose(attribution.residual, attribution.score - total)


def test_lrp_zero_equals_gradient_times_input_on_relu_nets():
    model, x = convolutional(), images()
    _, pullback = vjp(lambda x: model(x)[:, 2], x)
    gradient = ops.convert_to_numpy(pullback(ops.ones(len(x))))
    attribution = xai.LRP(model, xai.rules.Zero())(x, target=2)
    assert relative(attribution.values, x * gradient) < 1e-5


def test_zplus_gives_no_negative_relevance_for_a_positive_score():
    model, x = convolutional(use_bias=False), images(20, low=0.0)
    attribution = xai.LRP(model, xai.rules.ZPlus())(x)
    positive = attribution.score > 0
    assert positive.any()
    assert attribution.values[positive].min() >= 0


def test_a_fused_activation_equals_a_split_one():
    fused = keras.Sequential(
        [keras.Input((5,)), layers.Dense(7, activation="elu"), layers.Dense(3)]
    )
    split = keras.Sequential([keras.Input((5,)), layers.Dense(7), layers.ELU(), layers.Dense(3)])
    split.set_weights(fused.get_weights())
    x = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    a, b = (xai.LRP(model, xai.rules.ZPlus(), strict=True)(x) for model in (fused, split))
    np.testing.assert_array_equal(a.values, b.values)


def test_activations_other_than_relu_pass_relevance_on_unchanged():
    model = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(7, use_bias=False, activation="gelu"),
            layers.Dense(3, use_bias=False),
        ]
    )
    x = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    attribution = xai.LRP(model, xai.rules.Zero())(x)
    np.testing.assert_allclose(attribution.residual, 0, atol=1e-5)


@pytest.mark.parametrize("linear", [layers.Dense(6), layers.Conv2D(6, 3, strides=2)])
def test_batch_normalization_equals_the_model_folded_by_hand(linear):
    shape = (5,) if isinstance(linear, layers.Dense) else (8, 8, 2)
    linear = type(linear).from_config(linear.get_config())
    norm = layers.BatchNormalization()
    flatten = [] if len(shape) == 1 else [layers.Flatten()]
    head = layers.Dense(3)
    model = keras.Sequential([keras.Input(shape), linear, norm, layers.ReLU(), *flatten, head])
    random = np.random.default_rng(0)
    gamma, beta, mean = random.normal(size=(3, 6))
    variance = random.uniform(0.1, 2, 6)
    norm.set_weights([gamma, beta, mean, variance])
    folded_linear = type(linear).from_config(linear.get_config())
    folded_head = layers.Dense(3)
    folded = keras.Sequential(
        [keras.Input(shape), folded_linear, layers.ReLU(), *flatten, folded_head]
    )
    kernel, bias = linear.get_weights()
    scale = gamma / np.sqrt(variance + norm.epsilon)
    folded_linear.set_weights([kernel * scale, (bias - mean) * scale + beta])
    folded_head.set_weights(head.get_weights())
    x = random.normal(size=(4, *shape)).astype("float32")
    a, b = (xai.LRP(m, xai.rules.ZPlus(), strict=True)(x, target=1) for m in (model, folded))
    assert relative(a.values, b.values) < 1e-5
    assert xai.LRP(model)._surrogate.graph.nodes[0].operation.behind is norm


@pytest.mark.parametrize(
    "linear",
    [layers.Dense(6), layers.Conv2D(6, 3, strides=2), layers.DepthwiseConv2D(3, use_bias=False)],
)
def test_batch_normalization_before_a_layer_equals_the_model_folded_by_hand(linear):
    shape = (5,) if isinstance(linear, layers.Dense) else (8, 8, 2)
    linear = type(linear).from_config(linear.get_config())
    norm = layers.BatchNormalization()
    flatten = [] if len(shape) == 1 else [layers.Flatten()]
    head = layers.Dense(3)
    model = keras.Sequential([keras.Input(shape), norm, linear, layers.ReLU(), *flatten, head])
    random = np.random.default_rng(0)
    gamma, beta, mean = random.normal(size=(3, shape[-1]))
    variance = random.uniform(0.1, 2, shape[-1])
    norm.set_weights([gamma, beta, mean, variance])
    settings = {**linear.get_config(), "use_bias": True, "name": "folded"}
    folded_linear = type(linear).from_config(settings)
    folded_head = layers.Dense(3)
    folded = keras.Sequential(
        [keras.Input(shape), folded_linear, layers.ReLU(), *flatten, folded_head]
    )
    scale = gamma / np.sqrt(variance + norm.epsilon)
    shift = np.broadcast_to(beta - mean * scale, (1, *shape)).astype("float32")
    kernel = linear.get_weights()[0]
    bias = ops.convert_to_numpy(linear(shift)).reshape(-1, folded_linear.bias.shape[0])[0]
    folded_linear.set_weights([kernel * scale.reshape(-1, 1), bias])
    folded_head.set_weights(head.get_weights())
    x = random.normal(size=(4, *shape)).astype("float32")
    a, b = (xai.LRP(m, xai.rules.ZPlus(), strict=True)(x, target=1) for m in (model, folded))
    assert relative(a.values, b.values) < 1e-5  # float32
    assert xai.LRP(model)._surrogate.graph.nodes[0].operation.before is norm


def test_a_normalization_that_cannot_be_folded_keeps_the_values():
    inputs = keras.Input((5,))
    x = layers.Dense(4, activation="relu")(inputs)
    x = layers.BatchNormalization(beta_initializer="normal")(x)
    outputs = layers.Dense(3)(layers.Reshape((4,))(x))
    model = keras.Model(inputs, outputs)
    x = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    attribution = xai.LRP(model, strict=True)(x, target=0)
    np.testing.assert_allclose(attribution.score, model.predict(x, verbose=0)[:, 0], rtol=1e-5)


def test_a_nested_model_equals_the_flat_one():
    body = keras.Sequential([keras.Input((5,)), layers.Dense(6, activation="relu")], name="body")
    head = keras.Sequential([keras.Input((6,)), layers.Dense(3, activation="softmax")])
    inputs = keras.Input((5,))
    nested = keras.Model(inputs, head(body(inputs)))
    flat = keras.Sequential([keras.Input((5,)), *body.layers, *head.layers])
    x = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    a, b = (xai.LRP(model, strict=True)(x) for model in (nested, flat))
    np.testing.assert_array_equal(a.values, b.values)


def test_a_shared_layer_is_explained_per_call():
    """A siamese net equals the net with two copies of the shared layer."""

    def siamese(first, second):
        left, right = keras.Input((4,)), keras.Input((4,))
        merged = layers.Add()([first(left), second(right)])
        return keras.Model([left, right], head(merged))

    shared, head = layers.Dense(5, activation="relu"), layers.Dense(2)
    model = siamese(shared, shared)
    apart = siamese(shared, layers.Dense(5, activation="relu"))
    apart.layers[3].set_weights(shared.get_weights())
    x = [np.random.default_rng(i).normal(size=(3, 4)).astype("float32") for i in range(2)]
    a, b = (xai.LRP(m, xai.rules.ZPlus())(x, target=1) for m in (model, apart))
    np.testing.assert_array_equal(a.values[0], b.values[0])
    np.testing.assert_array_equal(a.values[1], b.values[1])
    np.testing.assert_allclose(a.residual, b.residual)


def test_a_row_does_not_depend_on_its_batch():
    explainer, x = xai.LRP(convolutional()), images(5)
    alone = explainer(x[2:3], target=1)
    # Convolutions of other batch sizes may sum in another order.
    np.testing.assert_allclose(
        explainer(x, target=1).values[2:3], alone.values, rtol=1e-4, atol=1e-6
    )


def test_the_model_is_bit_equal_afterwards():
    model = convolutional(activation="softmax")
    before = [w.copy() for w in model.get_weights()]
    config, nodes = model.get_config(), [len(layer._inbound_nodes) for layer in model.layers]
    xai.LRP(model)(images())
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert model.get_config() == config
    assert model.layers[-1].activation is keras.activations.softmax
    assert [len(layer._inbound_nodes) for layer in model.layers] == nodes


@pytest.mark.parametrize(
    "rule",
    [xai.rules.Zero(), xai.rules.Epsilon(xai.rules.Relative(0.1)), xai.rules.ZPlus()],
    ids=repr,
)
def test_a_pre_activation_of_zero_is_no_division_by_zero(rule):
    model, x = convolutional(), images()
    kernel, bias = model.layers[1].get_weights()
    model.layers[1].set_weights([kernel * (np.arange(6) > 2), 0 * bias])
    attribution = xai.LRP(model, rule)(np.zeros_like(x), target=0)
    assert np.isfinite(attribution.values).all()
    assert np.isfinite(xai.LRP(model, rule)(x, target=0).values).all()


def test_the_explainer_keeps_the_weights_it_was_made_with():
    model, x = convolutional(), images()
    explainer = xai.LRP(model)
    before = explainer(x)
    model.compile("sgd", "mse")
    model.fit(x, np.zeros((3, 4)), verbose=0)
    np.testing.assert_array_equal(explainer(x).values, before.values)
    assert relative(xai.LRP(model)(x).score, before.score) > 1e-3


def test_targets_choose_the_score():
    model, x = convolutional(), images()
    explainer, logits = xai.LRP(model), model.predict(images(), verbose=0)
    np.testing.assert_allclose(explainer(x).score, logits.max(axis=1), rtol=1e-5)
    np.testing.assert_allclose(
        explainer(x, target=[0, 1, 2]).score, logits[np.arange(3), np.arange(3)], rtol=1e-5
    )
    margin = explainer(x, target=lambda scores: scores[:, 0] - scores[:, 1])
    np.testing.assert_allclose(margin.score, logits[:, 0] - logits[:, 1], rtol=1e-4)
    a, b = explainer(x, target=0), explainer(x, target=1)
    assert relative(margin.values, a.values - b.values) < 1e-4


class Wave(layers.Layer):
    def call(self, x):
        return ops.sin(x)


def with_fallbacks():
    inputs = keras.Input((6,))
    x = Wave(name="wave")(layers.Dense(6, name="first")(inputs))
    return keras.Model(inputs, layers.Dense(2)(Wave(name="tide")(x)))


def test_strict_names_all_layers_without_a_rule_in_one_error():
    with pytest.raises(ValueError, match=r"no rule for wave/sin\w* \(Sin\), tide/sin\w* \(Sin\)"):
        xai.LRP(with_fallbacks(), strict=True)


def test_layers_without_a_rule_warn_once_and_keep_their_gradient():
    with pytest.warns(UserWarning, match=r"no rule for wave/sin\w* \(Sin\), tide") as caught:
        explainer = xai.LRP(with_fallbacks())
    assert len(caught) == 1
    assert np.isfinite(explainer(np.ones((2, 6), "float32")).values).all()


@pytest.mark.parametrize("composite", ["epsilon_plus", "epsilon_plus_flat"])
def test_relevance_of_named_layers_comes_from_the_same_pass(composite):
    model, x = convolutional(use_bias=False), images()
    names = [layer.name for layer in model.layers if isinstance(layer, layers.Conv2D)]
    explainer = xai.LRP(model, composite)
    attribution = explainer(x, target=1, layers=names)
    np.testing.assert_allclose(
        attribution.values, explainer(x, target=1).values, rtol=1e-4, atol=1e-6
    )
    for name in names:
        assert attribution.layers[name].shape == (len(x), *model.get_layer(name).output.shape[1:])
    # All relevance passes through the first convolution, a part of it through the second.
    first, second = (attribution.layers[name].sum(axis=(1, 2, 3)) for name in names)
    np.testing.assert_allclose(first, attribution.score, rtol=1e-4)
    assert (np.abs(second) > 1e-3).all()


def test_relevance_of_layers_within_models_and_of_later_calls():
    shared = keras.Sequential(
        [keras.Input((4,)), layers.Dense(4, use_bias=False, activation="relu", name="inner")],
        name="block",
    )
    inputs = keras.Input((4,))
    outputs = layers.Dense(2, use_bias=False)(shared(shared(inputs)))
    explainer = xai.LRP(keras.Model(inputs, outputs), xai.rules.Zero())
    x = np.abs(np.random.default_rng(0).normal(size=(3, 4))).astype("float32")
    attribution = explainer(x, target=1, layers=["block/inner", "block/inner#2"])
    for relevance in attribution.layers.values():
        np.testing.assert_allclose(relevance.sum(axis=1), attribution.score, rtol=1e-4, atol=1e-6)
    first, second = attribution.layers.values()
    assert np.abs(first - second).max() > 1e-3


def test_an_unknown_layer_lists_the_nearest():
    with pytest.raises(ValueError, match=r"has no layer 'conv2e'; the nearest are 'conv2"):
        xai.LRP(convolutional())(images(), layers=["conv2e"])


def test_batches_do_not_change_the_result():
    explainer, x = xai.LRP(convolutional()), images(5)
    whole, parts = explainer(x), explainer(x, batch_size=2)
    np.testing.assert_allclose(parts.values, whole.values, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(parts.target, whole.target)
    with pytest.raises(ValueError, match="batch_size is None or a positive int; received 0"):
        explainer(x, batch_size=0)


def test_the_summary_says_of_every_call_what_it_gets_and_why(references):
    table = xai.LRP(references["resnet"][0], "epsilon_plus_flat").summary().set_index("layer")
    assert table.rule["conv1"] == "Flat()"
    assert table.why["conv1"] == "entry 0: the first of its kind; bn1 folded in"
    assert table.rule["out"] == "Epsilon(epsilon=1e-06)"
    assert table.why["gap"] == "passes values on"
    assert not table.fallback.any()
    with pytest.warns(UserWarning, match="no rule"):
        table = xai.LRP(with_fallbacks()).summary()
    assert table[table.fallback]["type"].tolist() == ["Sin", "Sin"]
