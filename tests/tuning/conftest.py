import keras
import numpy as np
import pytest

import tuning


@pytest.fixture(scope="session")
def rows():
    """Twenty rows of three features, and two classes that the first feature tells apart."""
    x = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
    return x, (x[:, 0] > 0).astype("int32")


@pytest.fixture(scope="session")
def build():
    """Builds the smallest model that has something to search; eager, as compiling takes longest."""

    def build(hp):
        model = keras.Sequential([keras.layers.Dense(2, activation="softmax")])
        optimizer = keras.optimizers.SGD(hp.Float("rate", 0.01, 1.0, sampling="log"))
        model.compile(optimizer, "sparse_categorical_crossentropy", run_eagerly=True)
        return model

    return build


@pytest.fixture(scope="session")
def two_trials(rows, build, tmp_path_factory):
    """The search of two trials that others are compared with."""
    settings = {"strategy": "random", "trials": 2, "epochs": 1, "progress": False}
    return tuning.search(build, *rows, directory=tmp_path_factory.mktemp("two"), **settings)


@pytest.fixture
def search(rows, build, tmp_path):
    """Calls `tuning.search` with small arguments, each of which can be replaced."""

    def search(build=build, x=rows[0], y=rows[1], **arguments):
        defaults = {"strategy": "random", "trials": 1, "epochs": 1, "directory": tmp_path / "run"}
        return tuning.search(build, x, y, **{**defaults, "progress": False, **arguments})

    return search
