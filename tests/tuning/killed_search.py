"""A search for test_search.py to kill: `python killed_search.py DIRECTORY` hangs in trial 2."""

import pathlib
import sys
import time

import keras
import numpy as np

import tuning


def build(hp):
    model = keras.Sequential(
        [keras.layers.Dense(hp.Int("units", 2, 50)), keras.layers.Dropout(0.5)]
    )
    model.compile(keras.optimizers.SGD(hp.Float("rate", 0.01, 0.1)), "mse", run_eagerly=True)
    return model


def run(directory, callbacks=()):
    x = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
    settings = {"strategy": "random", "trials": 3, "epochs": 2, "seed": 5, "progress": False}
    return tuning.search(build, x, x[:, :1], directory=directory, callbacks=callbacks, **settings)


class Hang(keras.callbacks.Callback):
    """Stops for good after the first epoch of the second trial and says so in a file."""

    def __init__(self, directory):
        super().__init__()
        self.directory = pathlib.Path(directory)

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1 and (self.directory / "trials" / "trial_1").exists():
            (self.directory / "hanging").touch()
            time.sleep(600)


if __name__ == "__main__":
    run(sys.argv[1], [Hang(sys.argv[1])])
