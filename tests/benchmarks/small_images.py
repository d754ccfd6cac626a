"""Small images in three splits, and nets that classify them."""

from typing import NamedTuple

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits, load_sample_images

_SIDE, _STRIPE, _STEP = 32, 40, 8  # of a crop, of what goes into one split, between two crops
_REGIONS = {  # a photograph, its rows and its columns
    "sky": (0, (0, 190), (330, 530)),
    "pagoda": (0, (150, 340), (110, 310)),
    "trees": (0, (330, 427), (340, 620)),
    "petals": (1, (130, 310), (205, 405)),
    "leaves": (1, (0, 330), (450, 640)),
}


class Rows(NamedTuple):
    """Images `(rows, height, width, channels)` of 0 to 1 and their classes `(rows,)`."""

    x: np.ndarray
    y: np.ndarray


class Splits(NamedTuple):
    """What models and priors are fitted on, what a judge is, and what both are compared with."""

    training: Rows
    judging: Rows
    test: Rows


def digits(seed):
    """Returns scikit-learn's digits, at random half, a quarter and a quarter."""
    x, y = load_digits(return_X_y=True)
    x = x.reshape(-1, 8, 8, 1) / 16
    order = np.random.default_rng(seed).permutation(len(x))
    return Splits(*(Rows(x[part], y[part]) for part in np.split(order, [898, 1347])))


def textures(seed):
    """Returns 32x32 crops of five regions of scikit-learn's photographs, which are the classes.

    A region is cut into stripes of 40 columns, of which at random a fourth, rounded down, judges, a
    fourth tests and the others train. Crops begin every 8 pixels within a stripe, so that no two
    splits share a pixel.
    """
    photographs = [image / 255 for image in load_sample_images().images]
    random = np.random.default_rng(seed)
    splits = [], [], []
    for label, (number, rows, (left, right)) in enumerate(_REGIONS.values()):
        stripes = random.permutation(np.arange(left, right - _STRIPE + 1, _STRIPE))
        few = len(stripes) // 4
        for split, part in zip(splits, np.split(stripes, [-2 * few, -few]), strict=True):
            crops = np.concatenate([_crops(photographs[number], rows, left) for left in part])
            split.append(Rows(crops, np.full(len(crops), label)))
    return Splits(*(Rows(*map(np.concatenate, zip(*split, strict=True))) for split in splits))


def _crops(photograph, rows, left):
    """Returns the crops of one stripe."""
    tops = range(rows[0], rows[1] - _SIDE + 1, _STEP)
    lefts = range(left, left + _STRIPE - _SIDE + 1, _STEP)
    corners = [(top, first) for top in tops for first in lefts]
    return np.stack([photograph[t : t + _SIDE, f : f + _SIDE] for t, f in corners])


def convolutional(shape, classes):
    hidden = [
        layers.Conv2D(32, 3, activation="relu"),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
    ]
    return _classifier(shape, classes, hidden)


def normalized(shape, classes):
    hidden = [
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.BatchNormalization(momentum=0.9),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, padding="same", activation="relu"),
        layers.BatchNormalization(momentum=0.9),
        layers.GlobalAveragePooling2D(),
    ]
    return _classifier(shape, classes, hidden)


def perceptron(shape, classes):
    hidden = [layers.Dense(units, activation="relu") for units in (128, 64)]
    return _classifier(shape, classes, [layers.Flatten(), *hidden])


def _classifier(shape, classes, hidden):
    top = layers.Dense(classes, activation="softmax")
    return keras.Sequential([keras.Input(shape), *hidden, top])


def trained(build, rows, seed, epochs):
    """Returns a new model, with its initial weights after no epochs."""
    keras.utils.set_random_seed(seed)
    model = build(rows.x.shape[1:], int(rows.y.max()) + 1)
    model.compile(keras.optimizers.Adam(0.002), "sparse_categorical_crossentropy")
    if epochs:
        model.fit(rows.x, rows.y, batch_size=32, epochs=epochs, verbose=0)
    return model
