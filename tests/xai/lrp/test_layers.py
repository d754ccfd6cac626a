"""Every kind of layer: weighted ones equal the matrix that they are, others conserve relevance."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import xai
from tests.reference.distance import relative


def weighted_layers():
    settings = {"use_bias": False, "name": "weighted"}
    return {
        "dense on sequences": ((4, 3), layers.Dense(2, **settings)),
        "einsum": ((4, 3), layers.EinsumDense("abc,cde->abde", (4, 2, 5), name="weighted")),
        "causal": ((6, 2), layers.Conv1D(3, 2, padding="causal", dilation_rate=2, **settings)),
        "dilated": ((7, 7, 2), layers.Conv2D(3, 3, dilation_rate=2, padding="same", **settings)),
        "grouped": ((5, 5, 4), layers.Conv2D(6, 3, strides=2, groups=2, **settings)),
        "volume": ((4, 4, 4, 2), layers.Conv3D(2, 2, **settings)),
        "transposed 1D": ((4, 2), layers.Conv1DTranspose(3, 3, strides=2, **settings)),
        "transposed 2D": ((4, 4, 2), layers.Conv2DTranspose(3, 3, strides=2, **settings)),
        "transposed 3D": ((3, 3, 3, 1), layers.Conv3DTranspose(2, 2, strides=2, **settings)),
        "depthwise 1D": ((6, 2), layers.DepthwiseConv1D(3, depth_multiplier=2, **settings)),
        "depthwise 2D": ((5, 5, 2), layers.DepthwiseConv2D(3, depth_multiplier=2, **settings)),
    }


@pytest.mark.parametrize("rule", [xai.rules.ZPlus(), xai.rules.Gamma(0.5)], ids=repr)
@pytest.mark.parametrize("kind", weighted_layers())
def test_a_weighted_layer_equals_the_dense_layer_of_its_matrix(kind, rule):
    shape, layer = weighted_layers()[kind]
    head = layers.Dense(3)
    model = keras.Sequential([keras.Input(shape), layer, layers.Flatten(), head])
    size = int(np.prod(shape))
    matrix = ops.convert_to_numpy(layer(np.eye(size, dtype="float32").reshape(size, *shape)))
    dense, same_head = layers.Dense(matrix[0].size, use_bias=False), layers.Dense(3)
    flat = keras.Sequential([keras.Input((size,)), dense, same_head])
    dense.set_weights([matrix.reshape(size, -1)])
    same_head.set_weights(head.get_weights())
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    composite = xai.Composite(
        [(type(layer), rule)] if type(layer) is not layers.Dense else [("weighted", rule)]
    )
    a = xai.LRP(model, composite, strict=True)(x, target=1)
    b = xai.LRP(flat, xai.Composite([("first", rule)]))(x.reshape(2, -1), target=1)
    assert relative(a.values.reshape(2, -1), b.values) < 1e-5


def test_a_separable_convolution_equals_a_depthwise_and_a_pointwise_one():
    separable = layers.SeparableConv2D(3, 3, depth_multiplier=2, activation="relu")
    depthwise = layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False)
    pointwise = layers.Conv2D(3, 1, activation="relu")
    head = layers.Dense(2)
    tail = [layers.Flatten(), head]
    one = keras.Sequential([keras.Input((5, 5, 2)), separable, *tail])
    two = keras.Sequential([keras.Input((5, 5, 2)), depthwise, pointwise, *tail])
    kernels = separable.get_weights()
    depthwise.set_weights(kernels[:1])
    pointwise.set_weights(kernels[1:])
    x = np.random.default_rng(0).normal(size=(2, 5, 5, 2)).astype("float32")
    a, b = (xai.LRP(m, xai.rules.ZPlus(), strict=True)(x, target=0) for m in (one, two))
    np.testing.assert_array_equal(a.values, b.values)


class Gated(layers.Layer):
    """A layer of its own kind, made of a layer and operations."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = layers.Dense(4, use_bias=False)

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(4,), initializer="normal", name="scale")
        self.inner.build(input_shape)

    def call(self, x):
        signal = self.inner(x) * self.scale
        return ops.concatenate([signal * ops.sigmoid(signal), -x], axis=-1)


class Same(layers.Layer):
    def call(self, x, training=None):
        return x


IMAGE = (6, 6, 2)
SEQUENCE = (6, 4)


def conserving_layers():
    pooling = [
        layers.MaxPooling2D(2),
        layers.AveragePooling2D(3, strides=2, padding="same"),
        layers.GlobalAveragePooling2D(keepdims=True),
        layers.GlobalMaxPooling2D(),
        layers.AdaptiveAveragePooling2D(3),
    ]
    shaping = [
        layers.ZeroPadding2D(1),
        layers.Cropping2D(1),
        layers.UpSampling2D(2, interpolation="bilinear"),
        layers.Permute((3, 1, 2)),
        layers.Reshape((9, 8)),
        layers.CenterCrop(4, 4),
        layers.Resizing(4, 4),
        layers.RandomFlip(),
        layers.RandomRotation(0.1),
    ]
    at_inference = [layers.Dropout(0.5), layers.GaussianNoise(0.5), layers.SpatialDropout2D(0.5)]
    activations = [
        layers.PReLU(alpha_initializer="normal"),
        layers.LeakyReLU(),
        layers.Activation("silu"),
        layers.Activation("tanh"),
        layers.ReLU(max_value=0.5, negative_slope=0.1),
    ]
    normalizing = [
        layers.LayerNormalization(center=False, axis=[1, 2]),
        layers.RMSNormalization(),
        layers.UnitNormalization(),
        layers.GroupNormalization(2, center=False),
        layers.BatchNormalization(center=False),
    ]
    own = [Gated(), Same()]
    return [*pooling, *shaping, *at_inference, *activations, *normalizing, *own]


@pytest.mark.parametrize("layer", conserving_layers(), ids=lambda layer: type(layer).__name__)
def test_layers_without_a_bias_conserve_relevance(layer):
    shape = SEQUENCE if isinstance(layer, Gated) else IMAGE
    model = keras.Sequential(
        [
            keras.Input(shape),
            type(layer).from_config(layer.get_config()),
            layers.Flatten(),
            layers.Dense(3, use_bias=False),
        ]
    )
    x = np.random.default_rng(0).normal(size=(3, *shape)).astype("float32")
    attribution = xai.LRP(model, xai.rules.Zero(), strict=True)(x, target=1)
    if isinstance(layer, layers.LayerNormalization | layers.GroupNormalization):
        # The mean that they subtract absorbs relevance: the sum is that of the centred input's.
        assert np.isfinite(attribution.values).all()
        return
    scale = np.abs(attribution.values).sum(axis=tuple(range(1, x.ndim)))
    np.testing.assert_allclose(attribution.residual / scale, 0, atol=1e-5)


def merged(merge):
    inputs = keras.Input((5,))
    a, b = (layers.Dense(4, use_bias=False, name=name)(inputs) for name in "ab")
    return keras.Model(inputs, layers.Dense(3, use_bias=False)(merge(a, b)))


MERGES = {
    "add": lambda a, b: layers.Add()([a, b]),
    "subtract": lambda a, b: layers.Subtract()([a, b]),
    "average": lambda a, b: layers.Average()([a, b]),
    "maximum": lambda a, b: layers.Maximum()([a, b]),
    "minimum": lambda a, b: layers.Minimum()([a, b]),
    "concatenate": lambda a, b: layers.Concatenate()([a, b]),
    "multiply": lambda a, b: layers.Multiply()([a, b]),
    "dot": lambda a, b: layers.Dot(1)([a, b]),
    "gate": lambda a, b: layers.Multiply()([a, layers.Activation("sigmoid")(b)]),
    "raw operations": lambda a, b: ops.flip(a + 2.0 * b, 1)[:, 1:] * ops.tanh(a[:, 1:]) / 3.0,
    "quotient": lambda a, b: a / ops.exp(b),
    "hard gate": lambda a, b: a * (layers.ReLU(6.0)(b) * (1 / 6)),
}


def test_a_gated_linear_unit_leaves_all_to_the_signal():
    inputs = keras.Input((6,))
    signal, gate = layers.Dense(4, use_bias=False), layers.Dense(4, use_bias=False)
    joined = ops.concatenate([signal(inputs), gate(inputs)], axis=-1)
    product = layers.Multiply()([signal(inputs), layers.Activation("sigmoid")(gate(inputs))])
    head = layers.Dense(3, use_bias=False)
    x = np.random.default_rng(0).normal(size=(3, 6)).astype("float32")
    unit, by_hand = (
        xai.LRP(keras.Model(inputs, head(y)), xai.rules.Zero(), strict=True)(x, target=0).values
        for y in (ops.glu(joined), product)
    )
    assert relative(unit, by_hand) < 1e-5  # float32


@pytest.mark.parametrize("name", ["sparsemax", "log_softmax"])
def test_a_relative_of_softmax_keeps_its_own_gradient(name):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(3)(layers.Activation(name)(inputs)))
    table = xai.LRP(model, strict=True).summary().set_index("why")
    assert table.rule["softmax"] == "own gradient"


@pytest.mark.parametrize("merge", MERGES)
def test_merges_conserve_relevance(merge):
    model = merged(MERGES[merge])
    x = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    attribution = xai.LRP(model, xai.rules.Zero(), strict=True)(x, target=1)
    scale = np.abs(attribution.values).sum(axis=1)
    np.testing.assert_allclose(attribution.residual / scale, 0, atol=2e-6)


def test_a_gate_gets_no_relevance():
    """The explanation of signal times gate is that of the signal with the gate's values fixed."""
    model = merged(MERGES["gate"])
    x = np.random.default_rng(0).normal(size=(1, 5)).astype("float32")
    signal, gate = (model.get_layer(name).get_weights()[0] for name in "ab")
    head = model.layers[-1].get_weights()[0]
    opened = 1 / (1 + np.exp(-x @ gate))
    expected = x * (signal * opened @ head)[:, 1]
    attribution = xai.LRP(model, xai.rules.Zero())(x, target=1)
    np.testing.assert_allclose(attribution.values, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("rule", [xai.rules.Zero(), xai.rules.ZPlus(), xai.rules.Flat()], ids=repr)
def test_preprocessing_passes_relevance_on_unchanged_offset_or_not(rule):
    dense = layers.Dense(3)
    prepared = keras.Sequential(
        [keras.Input((4,)), layers.Rescaling(2.0, offset=-1.0), layers.Dense(3)]
    )
    plain = keras.Sequential([keras.Input((4,)), dense])
    dense.set_weights(prepared.layers[-1].get_weights())
    x = np.random.default_rng(0).uniform(size=(3, 4)).astype("float32")
    x[0, 0] = 0.0
    a = xai.LRP(prepared, rule, strict=True)(x, target=1)
    b = xai.LRP(plain, rule)(2 * x - 1, target=1)
    np.testing.assert_allclose(a.values, b.values, rtol=1e-4, atol=1e-6)


def test_opening_a_layer_leaves_no_trace_in_it():
    layer = Gated()
    model = keras.Sequential([keras.Input(SEQUENCE), layer, layers.Flatten(), layers.Dense(2)])
    before = [len(part._inbound_nodes) for part in (layer, layer.inner)]
    names = [node.name for node in xai.LRP(model, strict=True)._surrogate.graph.nodes]
    assert [len(part._inbound_nodes) for part in (layer, layer.inner)] == before
    assert not layer.inner._outbound_nodes
    assert f"{layer.name}/{layer.inner.name}" in names
