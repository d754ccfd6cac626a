"""What each layer absorbs adds up to the residual."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import xai


def model(use_bias=True):
    inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(4, 3, activation="relu", bias_initializer="normal", use_bias=use_bias)(inputs)
    y = layers.Conv2D(4, 3, padding="same", use_bias=use_bias, bias_initializer="normal")(x)
    x = layers.Flatten()(layers.MaxPooling2D()(layers.Add()([x, y])))
    top = layers.Dense(3, use_bias=use_bias, bias_initializer="normal", name="top")
    return keras.Model(inputs, top(x))


def images():
    return np.random.default_rng(0).normal(size=(3, 6, 6, 2)).astype("float32")


CAUSES = ["bias", "epsilon", "fallback"]


@pytest.mark.parametrize(
    "composite",
    ["epsilon_plus", "epsilon_plus_flat", xai.rules.Gamma(), xai.rules.Epsilon(0.25)],
    ids=repr,
)
def test_what_layers_absorb_sums_to_the_residual(composite):
    explainer, x = xai.LRP(model(), composite), images()
    table = explainer.conservation(x)
    attribution = explainer(x)
    np.testing.assert_allclose(table[CAUSES].sum().sum(), attribution.residual.mean(), atol=1e-5)
    np.testing.assert_allclose(
        table.received - table.handed_on, table[CAUSES].sum(axis=1), atol=1e-6
    )
    assert table.received[0] == pytest.approx(attribution.score.mean(), rel=1e-5)


def test_causes_are_told_apart():
    x = images()
    without_biases = xai.LRP(model(use_bias=False), xai.rules.Epsilon(0.25)).conservation(x)
    assert np.abs(without_biases.bias).max() < 1e-7
    assert (without_biases.epsilon.abs() > 1e-3).any()
    exact = xai.LRP(model(), xai.rules.Zero()).conservation(x).set_index("layer")
    assert np.abs(exact.epsilon).max() < 1e-5
    assert abs(exact.bias["top"]) > 1e-4


class Wave(layers.Layer):
    def call(self, x):
        return ops.sin(x)


def test_fallbacks_are_charged_for_what_they_lose():
    net = keras.Sequential([keras.Input((4,)), Wave(name="wave"), layers.Dense(2, name="top")])
    with pytest.warns(UserWarning, match="no rule"):
        explainer = xai.LRP(net, xai.rules.Zero())
    x = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    table = explainer.conservation(x, target=lambda scores: scores[:, 0])
    lost = table[table.layer.str.startswith("wave")].fallback.sum()
    kernel = net.get_layer("top").get_weights()[0][:, 0]
    expected = ((np.sin(x) - x * np.cos(x)) @ kernel).mean()
    assert lost == pytest.approx(expected, rel=1e-4)
