"""Swaps the loss, the optimizer and the normalization of a stock network by name.

The first layers of a MobileNet of `keras.applications` learn handwritten digits twice: as they
come, and with three components swapped. In so few steps the stock network stays near chance: the
averages that batch normalization uses at inference are not fit for use yet. Instance normalization
has none, and Prodigy finds its learning rate by itself.

    python examples/swap_components.py [--weights imagenet] [--steps N]
"""

import argparse

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import kerasdl

CLASSES = 10
SIZE = 32  # pixels
LAST = "conv_pw_4_relu"  # maps of 4 x 4 pixels; those of the end would be of one, without variance
BATCH = 32

STOCK_OPTIMIZER, STOCK_LOSS = "adam", "squared_hinge"  # the labels are -1 and 1

NORMALIZATION = "kerasdl>InstanceNormalization"
LOSS = "kerasdl>LogisticLoss"
OPTIMIZER = "kerasdl>Prodigy"


def load_data():
    """Returns RGB images in [-1, 1] and labels -1 and 1 for every class, split in two."""
    digits = load_digits()
    images = np.repeat(digits.images[..., np.newaxis].astype("float32") / 8 - 1, 3, axis=-1)
    images = keras.ops.image.resize(images, (SIZE, SIZE), data_format="channels_last")
    labels = 2 * np.eye(CLASSES, dtype="float32")[digits.target] - 1
    return train_test_split(
        keras.ops.convert_to_numpy(images), labels, test_size=160, random_state=0
    )


def stock_network(weights):
    """Returns MobileNet with a new head that gives logits."""
    network = keras.applications.MobileNet(
        (SIZE, SIZE, 3), alpha=0.5, include_top=False, weights=weights
    )
    features = keras.layers.GlobalAveragePooling2D()(network.get_layer(LAST).output)
    return keras.Model(network.inputs, keras.layers.Dense(CLASSES, name="logits")(features))


def swap_normalization(model):
    """Returns a copy of a model, with its weights, whose normalization is another one."""
    normalization = kerasdl.lookup("layer", NORMALIZATION)

    def clone(layer):
        if isinstance(layer, keras.layers.BatchNormalization):
            return normalization(axis=layer.axis, epsilon=layer.epsilon, name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    swapped = keras.models.clone_model(model, clone_function=clone)
    values = {weight.path: weight.numpy() for weight in model.weights}
    for weight in swapped.weights:  # both normalizations call theirs gamma and beta
        weight.assign(values[weight.path])
    return swapped


def report(name, model, data, steps):
    """Trains a compiled model and prints its loss and its accuracy before and after."""
    x_train, x_test, y_train, y_test = data
    test = {"x": x_test, "y": y_test, "batch_size": BATCH, "verbose": 0, "return_dict": True}
    before = model.evaluate(**test)
    rows = np.arange(steps * BATCH) % len(x_train)
    model.fit(x_train[rows], y_train[rows], batch_size=BATCH, verbose=0)
    after = model.evaluate(**test)
    for score in ("loss", "accuracy"):
        print(f"{name}: {score} {before[score]:.3f} before, {after[score]:.3f} after {steps} steps")


def main():
    """Trains the stock network and the swapped one on the same images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", choices=["imagenet"], help="start from these (a download)")
    parser.add_argument("--steps", type=int, default=80, help="of training")
    options = parser.parse_args()
    keras.utils.set_random_seed(0)
    data = load_data()

    stock = stock_network(options.weights)
    swapped = swap_normalization(stock)
    count = sum(isinstance(layer, keras.layers.BatchNormalization) for layer in stock.layers)
    print(f"normalization: {count} x BatchNormalization -> {NORMALIZATION}")
    print(f"optimizer: {STOCK_OPTIMIZER} -> {OPTIMIZER}")
    print(f"loss: {STOCK_LOSS} -> {LOSS}")
    for name, model, optimizer, loss in (
        ("stock", stock, STOCK_OPTIMIZER, STOCK_LOSS),
        ("swapped", swapped, OPTIMIZER, LOSS),
    ):
        accuracy = keras.metrics.CategoricalAccuracy(name="accuracy")
        model.compile(optimizer, loss, metrics=[accuracy])
        report(name, model, data, options.steps)


if __name__ == "__main__":
    main()
