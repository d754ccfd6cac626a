"""What the tests of several layers do with a layer."""

import keras
import pytest


@pytest.fixture
def reloaded(tmp_path):
    """Returns a function that saves a layer within a model and returns the model read back."""

    def reload(layer, x):
        model = keras.Sequential([keras.Input(x.shape[1:]), layer])
        model.save(tmp_path / "model.keras")
        return keras.saving.load_model(tmp_path / "model.keras")

    return reload
