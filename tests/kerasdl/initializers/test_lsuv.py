import keras
import numpy as np
import pytest

from kerasdl.initializers import lsuv

IMAGES = (5 * np.random.default_rng(0).normal(size=(32, 6, 6, 2)) + 3).astype("float32")


def sequential():
    return keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            keras.layers.Conv2D(8, 3, activation="relu", name="conv"),
            keras.layers.DepthwiseConv2D(3, name="depthwise"),
            keras.layers.Flatten(),
            keras.layers.Dense(16, activation="tanh", name="hidden"),
            keras.layers.Dense(3, activation="softmax", name="out"),
        ]
    )


def nested():
    """A functional model whose branches run in another order than they were made in."""
    late = keras.layers.Dense(5, name="late")
    inputs = keras.Input((6, 6, 2))
    inner = keras.Sequential(
        [keras.Input((72,)), keras.layers.Dense(9, "relu", name="first")], name="inner"
    )
    x = inner(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, keras.layers.Add()([late(x), keras.layers.Dense(5, name="b")(x)]))


def pre_activations(model, name, x):
    position = model.layers.index(model.get_layer(name))
    for layer in model.layers[:position]:
        x = layer(x)
    kernel, bias = model.layers[position].get_weights()
    return keras.ops.convert_to_numpy(x) @ kernel + bias


def test_every_layer_has_variance_1_before_its_activation():
    model = sequential()
    report = lsuv(model, IMAGES)
    assert [layer.name for layer in report] == ["conv", "depthwise", "hidden", "out"]
    for layer in report:
        assert abs(layer.variance_after - 1) < 0.1
    for name in ("hidden", "out"):
        assert pre_activations(model, name, IMAGES).var() == pytest.approx(1, abs=0.1)


def test_kernels_are_scaled_orthogonal_matrices():
    model = sequential()
    report = {layer.name: layer for layer in lsuv(model, IMAGES)}
    kernel = keras.ops.convert_to_numpy(model.get_layer("hidden").kernel)
    expected = report["hidden"].scale ** 2 * np.eye(16)
    np.testing.assert_allclose(kernel.T @ kernel, expected, atol=1e-5)


def test_layers_of_nested_models_are_scaled_in_the_order_of_their_calls():
    report = lsuv(nested(), IMAGES)
    assert report[0].name == "inner/first"
    assert {layer.name for layer in report} == {"inner/first", "late", "b"}
    assert all(layer.iterations <= 1 for layer in report)
    assert all(abs(layer.variance_after - 1) < 0.1 for layer in report)


def test_a_model_that_is_not_built_is_built():
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(4)])
    (layer,) = lsuv(model, IMAGES)
    assert layer.variance_after == pytest.approx(1, abs=0.1)


def test_the_same_seed_gives_the_same_weights():
    first, second, third = sequential(), sequential(), sequential()
    for model, seed in ((first, 1), (second, 1), (third, 2)):
        lsuv(model, IMAGES, seed=seed)
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.abs(first.get_weights()[0] - third.get_weights()[0]).max() > 0.01


def test_activations_biases_and_frozen_layers_stay_as_they_are():
    model = sequential()
    model.get_layer("conv").trainable = False
    model.get_layer("hidden").bias.assign(np.full(16, 0.5))
    kernel = keras.ops.convert_to_numpy(model.get_layer("conv").kernel).copy()
    activations = [getattr(layer, "activation", None) for layer in model.layers]
    names = [layer.name for layer in lsuv(model, IMAGES)]
    assert names == ["depthwise", "hidden", "out"]
    assert [getattr(layer, "activation", None) for layer in model.layers] == activations
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(model.get_layer("conv").kernel), kernel
    )
    np.testing.assert_array_equal(model.get_layer("hidden").get_weights()[1], 0.5)


def test_data_that_does_not_vary_is_refused_and_the_weights_are_kept():
    model = sequential()
    before = [weight.copy() for weight in model.get_weights()]
    with pytest.raises(ValueError, match=r"layer 'conv' have variance 0.0.*Give data that varies"):
        lsuv(model, np.zeros((4, 6, 6, 2), "float32"))
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_model_without_weighted_layers_is_refused():
    with pytest.raises(ValueError, match=r"no trainable layer that lsuv initializes: Dense"):
        lsuv(keras.Sequential([keras.layers.Flatten()]), IMAGES)


@pytest.mark.parametrize("arguments", [{"tolerance": 0}, {"max_iterations": 0}])
def test_bad_arguments_are_refused(arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=rf"lsuv\({name}=0\)"):
        lsuv(sequential(), IMAGES, **arguments)
