"""A box is of the model's input, whatever preprocessing and padding follow."""

import keras
import numpy as np
import pytest
from keras import layers

import xai
from tests.reference.distance import relative

PREPROCESSING = {
    "rescaling": lambda x: layers.Rescaling(1 / 127.5, offset=-1)(x),
    "normalization": lambda x: layers.Normalization(mean=127.5, variance=127.5**2)(x),
    "operations": lambda x: x / 127.5 - 1,
    "two layers": lambda x: layers.Rescaling(2.0, offset=-1)(layers.Rescaling(1 / 255)(x)),
}


def net(preprocess, convolution, head, shape=(7, 7, 3)):
    inputs = keras.Input(shape)
    x = layers.ZeroPadding2D(1)(preprocess(inputs))
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(convolution(x)))
    return keras.Model(inputs, head(x))


@pytest.fixture(name="parts")
def parts_of_a_net():
    return layers.Conv2D(4, 3, strides=2, bias_initializer="normal"), layers.Dense(3)


@pytest.fixture(name="pixels")
def some_pixels():
    return np.random.default_rng(0).integers(0, 256, (2, 7, 7, 3)).astype("float32")


@pytest.mark.parametrize("kind", PREPROCESSING)
def test_a_box_is_mapped_through_preprocessing(parts, pixels, kind):
    model = net(PREPROCESSING[kind], *parts)
    plain = net(lambda x: x, *parts)
    a = xai.LRP(model, xai.composites.epsilon_gamma_box(0, 255), strict=True)(pixels)
    b = xai.LRP(plain, xai.composites.epsilon_gamma_box(-1, 1))(pixels / 127.5 - 1)
    assert relative(a.values, b.values) < 1e-5  # float32


def test_a_negative_scale_turns_the_box_round(parts, pixels):
    model = net(lambda x: layers.Rescaling(-1 / 127.5, offset=1)(x), *parts)
    plain = net(lambda x: x, *parts)
    a = xai.LRP(model, xai.composites.epsilon_gamma_box(0, 255))(pixels)
    b = xai.LRP(plain, xai.composites.epsilon_gamma_box(-1, 1))(1 - pixels / 127.5)
    assert relative(a.values, b.values) < 1e-5  # float32


def test_padding_is_outside_the_box_and_gets_no_relevance(parts, pixels):
    """A padding layer equals the padding of the convolution itself, where the box is zero."""
    _, head = parts
    inputs = keras.Input((7, 7, 3))
    padded = layers.Conv2D(4, 3, padding="same", bias_initializer="normal")
    same = keras.Model(inputs, head(layers.GlobalMaxPooling2D()(layers.ReLU()(padded(inputs)))))
    valid = layers.Conv2D(4, 3)
    x = layers.ReLU()(valid(layers.ZeroPadding2D(1)(inputs)))
    explicit = keras.Model(inputs, head(layers.GlobalMaxPooling2D()(x)))
    valid.set_weights(padded.get_weights())
    a, b = (
        xai.LRP(model, xai.composites.epsilon_gamma_box(-300, 300))(pixels, target=1)
        for model in (explicit, same)
    )
    assert relative(a.values, b.values) < 1e-5  # float32


def test_bounds_may_differ_by_channel_and_pixel(parts, pixels):
    model = net(PREPROCESSING["rescaling"], *parts)
    low, high = np.zeros((7, 7, 3)), np.array([255.0, 255.0, 255.0])
    a = xai.LRP(model, xai.composites.epsilon_gamma_box(low, high))(pixels)
    b = xai.LRP(model, xai.composites.epsilon_gamma_box(0, 255))(pixels)
    np.testing.assert_allclose(a.values, b.values, rtol=1e-6)


def test_a_box_cannot_be_padded_in_an_input_of_unknown_size(parts):
    model = net(PREPROCESSING["rescaling"], *parts, shape=(None, None, 3))
    with pytest.raises(ValueError, match=r"of unknown size \(None, None, None, 3\). Build the mod"):
        xai.LRP(model, xai.composites.epsilon_gamma_box(0, 255))


def test_a_box_in_a_hidden_layer_is_of_what_it_reads(parts, pixels):
    convolution, head = parts
    first = layers.Conv2D(3, 1, activation="sigmoid", name="first")

    def tail(x):
        return head(layers.GlobalAveragePooling2D()(layers.ReLU()(convolution(x))))

    inputs = keras.Input((7, 7, 3))
    hidden = first(layers.Rescaling(1 / 255)(inputs))
    whole, rest = keras.Model(inputs, tail(hidden)), keras.Model(inputs, tail(inputs))
    box = xai.Composite([(convolution.name, xai.rules.ZBox(0, 1))])
    a = xai.LRP(whole, box, strict=True)(pixels, target=0, layers=["first"]).layers["first"]
    activations = keras.Model(inputs, hidden).predict(pixels, verbose=0)
    b = xai.LRP(rest, box, strict=True)(activations, target=0).values
    assert relative(a, b) < 1e-5  # float32
