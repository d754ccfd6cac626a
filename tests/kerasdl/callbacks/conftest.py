"""A small problem that callbacks watch."""

import keras
import numpy as np
import pytest

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(24, 4)).astype("float32")
Y = (X[:, :1] - X[:, 1:2]).astype("float32")


class Problem:
    """Data, and models whose weights are the same each time."""

    x = X
    y = Y

    def model(self, *layers, optimizer="sgd"):
        keras.utils.set_random_seed(1)
        layers = layers or (keras.layers.Dense(5, "relu", name="hidden"),)
        model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(1, name="out")])
        model.compile(optimizer, "mse")
        return model

    def fit(self, model, *callbacks, **settings):
        keras.utils.set_random_seed(2)
        settings = {"epochs": 2, "batch_size": 8, "verbose": 0, **settings}
        return model.fit(self.x, self.y, callbacks=list(callbacks), **settings).history


@pytest.fixture
def problem():
    return Problem()
