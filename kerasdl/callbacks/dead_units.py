"""Watching for units that never fire."""

import keras
import numpy as np

from kerasdl.callbacks.layer_outputs import chosen_layers, layer_outputs, layers_of
from kerasdl.registry import register

_DYING = (keras.activations.relu, keras.activations.relu6)


@register
class DeadUnits(keras.callbacks.Callback):
    """The share of units whose output is 0 on all of the given data, by layer and epoch.

    Such a unit passes no gradient on. It is dead for this data only: other data, or changes in the
    layers below, may revive it. A unit is an entry of the channel axis, so that a filter is dead if
    it is at every position. Training itself is not changed.

    Args:
        x: Inputs of the model: an array or a structure of arrays. The more, the fewer units are
            taken for dead by chance.
        layers: Names of the layers to watch, those in nested models as `"model/layer"`. Default:
            all whose activation is `relu` or `relu6`, and `ReLU` layers without a negative slope.
        batch_size: Samples per run of the model.

    Attributes:
        history: Layer name -> share of dead units at the end of each epoch of the last `fit`.

    Raises:
        ValueError: At the start of `fit`: a name that no layer has, or no layer to watch.

    Example:
        >>> dead = DeadUnits(x_train[:512])
        >>> model.fit(x_train, y_train, epochs=5, callbacks=[dead])
        >>> dead.history["dense"]

    Source:
        The founding notes. Lu, Shin, Su, Karniadakis: Dying ReLU and initialization, 2020 (arXiv
        1903.06733).
    """

    def __init__(self, x, layers=None, batch_size=256):
        super().__init__()
        self.x = x
        self.layers = layers
        self.batch_size = batch_size
        self.history = {}

    @classmethod
    def example(cls):
        """Returns an instance with data for a model of four inputs."""
        return cls(np.zeros((8, 4), "float32"))

    def on_train_begin(self, logs=None):
        """Starts a new history."""
        self.history = {name: [] for name in self._watched()}

    def on_epoch_end(self, epoch, logs=None):
        """Appends the shares to the history."""
        model = self.model
        layers = chosen_layers(self, model, self.history)
        alive = {}
        for name, units in layer_outputs(model, layers, self.x, self.batch_size):
            alive[name] = alive.get(name, False) | (units != 0).any(axis=0)
        for name, fired in alive.items():
            self.history[name].append(float(1 - fired.mean()))

    def _watched(self):
        if self.layers is not None:
            return list(chosen_layers(self, self.model, self.layers))
        watched = [name for name, layer in layers_of(self.model).items() if _can_die(layer)]
        if not watched:
            raise ValueError(
                f"DeadUnits found no layer with a ReLU in the model {self.model.name!r}. "
                "Name the layers to watch: DeadUnits(x, layers=[...])."
            )
        return watched


def _can_die(layer):
    if isinstance(layer, keras.layers.ReLU):
        return not np.any(layer.negative_slope)
    return getattr(layer, "activation", None) in _DYING
