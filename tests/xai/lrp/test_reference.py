"""Relevances agree with explicit messages in float64: `tests/reference/lrp.py`, no gradients."""

import functools

import keras
import numpy as np
import pytest
from keras import layers, ops

import xai
from tests.reference import lrp, lrp_attention
from tests.reference.distance import relative

# Float32 rounds values by 6e-8 and cancellation in sums enlarges that: 1.6e-6 is the greatest
# distance seen, of TensorFlow, JAX and torch.
TOLERANCE = 1e-5

RULES = {
    "zero": (xai.rules.Zero(), lrp.zero),
    "epsilon": (xai.rules.Epsilon(0.25), functools.partial(lrp.epsilon, epsilon=0.25)),
    "relative epsilon": (
        xai.rules.Epsilon(xai.rules.Relative(0.25)),
        functools.partial(lrp.relative_epsilon, factor=0.25),
    ),
    "gamma": (xai.rules.Gamma(0.5), functools.partial(lrp.gamma, gamma=0.5)),
    "alpha 2, beta 1": (xai.rules.AlphaBeta(2.0), functools.partial(lrp.alpha_beta, alpha=2.0)),
    "alpha 1.5, beta 0.5": (xai.rules.AlphaBeta(1.5), functools.partial(lrp.alpha_beta, alpha=1.5)),
    "z+": (xai.rules.ZPlus(), lrp.z_plus),
    "zB": (xai.rules.ZBox(-3, 2.5), functools.partial(lrp.z_box, low=-3, high=2.5)),
    "w-square": (xai.rules.WSquare(), lrp.w_square),
    "flat": (xai.rules.Flat(), lrp.flat),
    "pass": (xai.rules.Pass(), lrp.unchanged),
}
OTHERS = xai.rules.Epsilon(0.1), functools.partial(lrp.epsilon, epsilon=0.1)
LINEAR = xai.rules.Epsilon(0.01), functools.partial(lrp.epsilon, epsilon=0.01)
ACTIVATIONS = {"relu": lrp.positive, "tanh": np.tanh}
PLACES = ("bottom", "middle", "top")


def mixed(*shape):
    """Inputs of both signs, a tenth of them zero."""
    random = np.random.default_rng(0)
    return (random.normal(size=shape) * (random.uniform(size=shape) > 0.1)).astype("float32")


def randomized(model, seed=1):
    """Gives the model weights and biases of both signs, and variances of at least 0.5."""
    random = np.random.default_rng(seed)
    for variable in model.weights:
        values = random.normal(size=variable.shape) / np.sqrt(variable.shape[0])
        variable.assign(np.abs(values) + 0.5 if "variance" in variable.path else values)
    return model


def exact(layer):
    """The layer's weights in float64."""
    return [weight.astype("float64") for weight in layer.get_weights()]


def from_head(head, a, rule):
    """The relevance of the inputs of a last layer of which output 1 is explained."""
    W, b = exact(head)
    scores = a @ W + b
    return lrp.received(rule(a, W, b, scores * (np.arange(scores.shape[1]) == 1)))


def mlp(activation):
    hidden = [layers.Dense(6, activation=activation, name=name) for name in PLACES[:2]]
    return randomized(
        keras.Sequential([keras.Input((6,)), *hidden, layers.Dense(6, name=PLACES[2])])
    )


def assert_walks_agree(model, x, rules, activation):
    """Compares the relevance of the input and of both hidden layers."""
    composite = xai.Composite([(place, rules[place][0]) for place in PLACES])
    attribution = xai.LRP(model, composite, strict=True)(x, target=1, layers=PLACES[:2])
    affine = [exact(model.get_layer(place)) for place in PLACES]
    explicit = [rules[place][1] for place in PLACES]
    expected = lrp.chain(x.astype("float64"), affine, explicit, activation, 1)
    received = [attribution.values, *(attribution.layers[place] for place in PLACES[:2])]
    for ours, theirs in zip(received, expected, strict=True):
        assert relative(ours, theirs) < TOLERANCE


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_in_each_layer_agrees_with_explicit_messages(rule, place, activation):
    rules = dict.fromkeys(PLACES, OTHERS) | {place: RULES[rule]}
    assert_walks_agree(mlp(activation), mixed(5, 6), rules, ACTIVATIONS[activation])


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_below_one_that_gives_relevance_to_dead_units_agrees(rule):
    rules = {"bottom": RULES[rule], "middle": RULES["flat"], "top": OTHERS}
    assert_walks_agree(mlp("relu"), mixed(5, 6), rules, ACTIVATIONS["relu"])


@pytest.mark.parametrize(
    ("rule", "scale"),
    [("gamma", 1e-5), ("alpha 2, beta 1", 1e-5), ("z+", 1e-5), ("zB", 1e-5), ("w-square", 1e-3)],
)
def test_small_denominators_are_stabilized_by_a_millionth(rule, scale):
    model = mlp("tanh")
    bottom = model.get_layer("bottom")
    bottom.set_weights([scale * weight for weight in bottom.get_weights()])
    rules = dict.fromkeys(PLACES, OTHERS) | {"bottom": RULES[rule]}
    assert_walks_agree(model, mixed(5, 6), rules, np.tanh)


def test_a_denominator_of_zero_counts_as_positive():
    model = mlp("tanh")
    bottom = model.get_layer("bottom")
    kernel, bias = bottom.get_weights()
    bottom.set_weights([np.vstack([kernel[:3], -kernel[:3]]), 0 * bias])
    rules = {"bottom": RULES["epsilon"], "middle": RULES["flat"], "top": OTHERS}
    assert_walks_agree(model, np.array([[1, 0, 0, 1, 0, 0]], "float32"), rules, np.tanh)


@pytest.mark.parametrize("rule", [name for name in RULES if name != "pass"])
def test_a_rule_in_a_strided_convolution_agrees_with_its_unrolled_matrix(rule):
    convolution, head = layers.Conv2D(3, 3, strides=2, activation="tanh"), layers.Dense(4)
    model = randomized(
        keras.Sequential([keras.Input((7, 7, 2)), convolution, layers.Flatten(), head])
    )
    composite = xai.Composite([(layers.Conv2D, RULES[rule][0]), (layers.Dense, OTHERS[0])])
    x = mixed(3, 7, 7, 2)
    attribution = xai.LRP(model, composite, strict=True)(x, target=1)
    unrolled = lrp.convolution(*exact(convolution), (7, 7, 2), stride=2)
    rules = RULES[rule][1], OTHERS[1]
    flat = x.reshape(3, -1).astype("float64")
    expected = lrp.chain(flat, [unrolled, exact(head)], rules, np.tanh, 1)[0]
    assert relative(attribution.values, expected.reshape(x.shape)) < TOLERANCE


def residual_net():
    inputs = keras.Input((8, 8, 2))
    normalized = layers.BatchNormalization(name="norm")(layers.Conv2D(3, 3, name="first")(inputs))
    x = layers.ReLU()(normalized)
    x = layers.Add()([x, layers.Conv2D(3, 1, activation="tanh", name="branch")(x)])
    x = layers.AveragePooling2D(2, strides=1)(layers.MaxPooling2D(2)(x))
    return randomized(keras.Model(inputs, layers.Dense(4, name="head")(layers.Flatten()(x))))


def through_residual_net(model, x, rule):
    """The explicit walk through the net above."""
    conv, norm, branch = map(exact, map(model.get_layer, ("first", "norm", "branch")))
    norm = [np.tile(values, 36) for values in norm]
    first = lrp.folded(*lrp.convolution(*conv, (8, 8, 2)), *lrp.scale_and_offset(*norm, 1e-3))
    branch, average = lrp.convolution(*branch, (6, 6, 3)), lrp.average_pooling((3, 3, 3), 2, 1)
    flat = x.reshape(len(x), -1).astype("float64")
    a = lrp.positive(flat @ first[0] + first[1])
    added = np.tanh(a @ branch[0] + branch[1])
    images = (a + added).reshape(-1, 6, 6, 3)
    greatest = lrp.max_pooling(images, 2, 2)
    means = greatest.reshape(len(x), -1) @ average[0]
    R = from_head(model.get_layer("head"), means, OTHERS[1])
    R = lrp.received(lrp.zero(greatest.reshape(len(x), -1), *average, R))
    R = lrp.through_max_pooling(images, R.reshape(greatest.shape), 2, 2).reshape(a.shape)
    R_a, R_added = lrp.through_add([a, added], R)
    R_a = R_a + lrp.received(rule(a, *branch, R_added))
    return lrp.received(rule(flat, *first, R_a)).reshape(x.shape)


@pytest.mark.parametrize("rule", [name for name in RULES if name != "pass"])
def test_a_residual_net_with_pooling_and_normalization_agrees_with_explicit_messages(rule):
    model, x = residual_net(), mixed(3, 8, 8, 2)
    composite = xai.Composite([(layers.Conv2D, RULES[rule][0]), (layers.Dense, OTHERS[0])])
    attribution = xai.LRP(model, composite, strict=True)(x, target=1)
    expected = through_residual_net(model, x, RULES[rule][1])
    assert relative(attribution.values, expected) < TOLERANCE


def gate(signal, gate):
    return layers.Multiply()([signal, layers.Activation("sigmoid")(gate)])


def matmul(a, b):
    """The products `(3, 2)` times `(2, 3)` of the rows' reshaped values."""
    product = ops.matmul(ops.reshape(a, (-1, 3, 2)), ops.reshape(b, (-1, 2, 3)))
    return ops.reshape(product, (-1, 9))


def through_matmul(a, b, R):
    factors = a.reshape(-1, 3, 2), b.reshape(-1, 2, 3), R.reshape(-1, 3, 3)
    pairs = [lrp_attention.through_matmul(*rows) for rows in zip(*factors, strict=True)]
    return [np.reshape(relevance, a.shape) for relevance in zip(*pairs, strict=True)]


# An operation on a number of branches, and its walk: branches, relevance, the layer's weights to
# the relevance of each branch.
OPERATIONS = {
    "add": (3, lambda *a: layers.Add()(a), lambda a, R: lrp.through_add(a, R)),
    "gate": (2, gate, lambda a, R: lrp.through_gate(R)),
    "product": (3, lambda *a: layers.Multiply()(a), lambda a, R: lrp.through_product(3, R)),
    "matrix product": (2, matmul, lambda a, R: through_matmul(*a, R)),
    "softmax": (1, layers.Softmax(), lambda a, R: [lrp_attention.through_softmax(*a, R)]),
    "sigmoid": (1, layers.Activation("sigmoid"), lambda a, R: [R]),
    "batch normalization": (
        1,
        layers.BatchNormalization(),
        lambda a, R, *norm: [lrp.through_scaling(*a, *lrp.scale_and_offset(*norm, 1e-3), R)],
    ),
    "layer normalization": (
        1,
        layers.LayerNormalization(),
        lambda a, R, *affine: [lrp.through_layer_normalization(*a, *affine, 1e-3, R)],
    ),
    "root mean square normalization": (
        1,
        layers.RMSNormalization(),
        lambda a, R, scale: [lrp.through_rms_normalization(R)],
    ),
}


def assert_operation_agrees(name, activation, rule):
    """Compares a net of an operation between dense layers; the last one has the rule."""
    count, operation, walk = OPERATIONS[name]
    has_weights = isinstance(operation, keras.Layer)
    if has_weights:
        operation = type(operation).from_config(operation.get_config())
    inputs, head = keras.Input((6,)), layers.Dense(4)
    branches = [layers.Dense(6, activation=activation) for _ in range(count)]
    merged = operation(*(branch(inputs) for branch in branches))
    model, x = randomized(keras.Model(inputs, head(merged))), mixed(5, 6)
    composite = xai.Composite([("last", rule[0]), (layers.Dense, LINEAR[0])])
    ours = xai.LRP(model, composite, strict=True)(x, target=1).values
    affine = [exact(branch) for branch in branches]
    a = [ACTIVATIONS[activation](x @ W + b) for W, b in affine]
    values = keras.Model(inputs, merged).predict(x, verbose=0).astype("float64")
    R = walk(a, from_head(head, values, rule[1]), *(exact(operation) if has_weights else []))
    expected = [LINEAR[1](x, *maps, part) for maps, part in zip(affine, R, strict=True)]
    assert relative(ours, sum(map(lrp.received, expected))) < TOLERANCE


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_without_a_kernel_agrees_with_its_formula(name):
    assert_operation_agrees(name, "tanh", LINEAR)


@pytest.mark.parametrize("name", ["gate", "product", "root mean square normalization"])
def test_an_operation_hands_on_the_relevance_of_dead_units(name):
    assert_operation_agrees(name, "relu", RULES["flat"])


# Affine maps by which non-negative values become negative.
SHIFTS = {
    "difference": lambda a: a - 1.0,
    "sum": lambda a: a + (-1.0),
    "padding": lambda a: ops.pad(a, [[0, 0], [1, 1]], constant_values=-1.0),
    "bicubic upsampling": lambda a: layers.Flatten()(
        layers.UpSampling2D(2, interpolation="bicubic")(layers.Reshape((2, 3, 1))(a))
    ),
}


@pytest.mark.parametrize("name", SHIFTS)
def test_negative_inputs_of_z_plus_count_whatever_made_them_negative(name):
    inputs, head = keras.Input((6,)), layers.Dense(3)
    shifted = SHIFTS[name](layers.ReLU()(inputs))
    model, x = randomized(keras.Model(inputs, head(shifted))), mixed(5, 6)
    shift = ops.convert_to_numpy(SHIFTS[name](np.vstack([np.zeros(6), np.eye(6)])))
    affine = shift[1:] - shift[0], shift[0]
    a = lrp.positive(x)
    R = from_head(head, a @ affine[0] + affine[1], lrp.z_plus)
    expected = lrp.received(lrp.zero(a, *affine, R))
    ours = xai.LRP(model, xai.rules.ZPlus(), strict=True)(x, target=1).values
    assert relative(ours, expected) < TOLERANCE


RECURRENT = {
    "simple RNN": (layers.SimpleRNN, lrp_attention.simple_rnn, lrp_attention.through_simple_rnn),
    "LSTM": (layers.LSTM, lrp_attention.lstm, lrp_attention.through_lstm),
    "GRU": (layers.GRU, lrp_attention.gru, lrp_attention.through_gru),
}


@pytest.mark.parametrize("name", RECURRENT)
def test_a_recurrent_layer_agrees_with_a_walk_back_in_time(name):
    layer, forward, walk = RECURRENT[name]
    recurrent, head = layer(4), layers.Dense(3)
    model = randomized(keras.Sequential([keras.Input((5, 3)), recurrent, head]))
    x = mixed(3, 5, 3)
    attribution = xai.LRP(model, LINEAR[0], strict=True)(x, target=1)
    weights = exact(recurrent)
    _, h = forward(x.astype("float64"), *weights)
    expected = walk(x.astype("float64"), *weights, from_head(head, h, LINEAR[1]), 0.01)
    assert relative(attribution.values, expected) < TOLERANCE


def attention_maps(attention):
    """Returns `(W, b)` of query, key, value and output, the heads' columns side by side."""
    Wq, bq, Wk, bk, Wv, bv, Wo, bo = exact(attention)
    projections = [(W.reshape(6, 6), b.reshape(6)) for W, b in ((Wq, bq), (Wk, bk), (Wv, bv))]
    return [*projections, (Wo.reshape(6, 6), bo)]


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("bilinear", ["attnlrp", "cp"])
def test_self_attention_agrees_with_explicit_messages(bilinear, dropout):
    inputs = keras.Input((4, 6))
    attention, head = layers.MultiHeadAttention(2, 3, dropout=dropout), layers.Dense(3)
    attended = layers.Flatten()(attention(inputs, inputs))
    model, x = randomized(keras.Model(inputs, head(attended))), mixed(3, 4, 6)
    composite = xai.composites.attention(bilinear=bilinear)
    ours = xai.LRP(model, composite, strict=True)(x, target=1).values
    maps = attention_maps(attention)
    rule = functools.partial(lrp.epsilon, epsilon=1e-6)
    expected = []
    for row in x.astype("float64"):
        values = lrp_attention.self_attention(row, maps, 2)[-1] @ maps[3][0] + maps[3][1]
        R = from_head(head, values.reshape(1, -1), rule).reshape(values.shape)
        expected.append(lrp_attention.through_self_attention(row, maps, 2, R, rule, bilinear))
    assert relative(ours, np.array(expected)) < TOLERANCE
