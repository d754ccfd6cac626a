"""Watching how the outputs of layers move."""

import keras
import numpy as np

from kerasdl.callbacks.layer_outputs import chosen_layers, layer_outputs, layers_of
from kerasdl.registry import register


@register
class ActivationDrift(keras.callbacks.Callback):
    """How far the outputs of each layer move from epoch to epoch, on the same data.

    ```
    mean_shift = sqrt(mean_i (mean_i(e) - mean_i(e - 1))**2) / spread
    std_shift  = sqrt(mean_i (std_i(e) - std_i(e - 1))**2) / spread
    spread     = sqrt(mean_i std_i(e - 1)**2)
    ```

    `mean_i(e)` and `std_i(e)` are taken over the data and all positions for the channel i after
    epoch e; epoch 0 is compared with the start of `fit`. The shifts are in units of the former
    spread; where nothing varied, they are absolute. This is what batch normalization was meant to
    hold still ("internal covariate shift"), in inference mode. Training itself is not changed.

    Args:
        x: Inputs of the model: an array or a structure of arrays.
        layers: Names of the layers to watch, those in nested models as `"model/layer"`. Default:
            all layers with weights.
        batch_size: Samples per run of the model.

    Attributes:
        history: Layer name -> `{"mean": [...], "std": [...], "mean_shift": [...], "std_shift":
            [...]}`, one entry per epoch of the last `fit`; `mean` is the mean over the channels,
            `std` the root of the mean of their variances.

    Raises:
        ValueError: At the start of `fit`: a name that no layer has.

    Example:
        >>> drift = ActivationDrift(x_train[:512])
        >>> model.fit(x_train, y_train, epochs=5, callbacks=[drift])
        >>> drift.history["dense"]["mean_shift"]

    Source:
        The founding notes. Ioffe, Szegedy: Batch normalization, 2015 (arXiv 1502.03167).
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
        """Starts a new history and takes the first moments."""
        names = self.layers
        if names is None:
            names = [name for name, layer in layers_of(self.model).items() if layer.weights]
        columns = ("mean", "std", "mean_shift", "std_shift")
        self.history = {name: {column: [] for column in columns} for name in names}
        self._former = self._moments()

    def on_epoch_end(self, epoch, logs=None):
        """Appends the moments and their shifts to the history."""
        moments = self._moments()
        for name, (mean, std) in moments.items():
            former_mean, former_std = self._former[name]
            spread = _root_mean_square(former_std) or 1.0
            entry = {
                "mean": mean.mean(),
                "std": _root_mean_square(std),
                "mean_shift": _root_mean_square(mean - former_mean) / spread,
                "std_shift": _root_mean_square(std - former_std) / spread,
            }
            for column, value in entry.items():
                self.history[name][column].append(float(value))
        self._former = moments

    def _moments(self):
        """The mean and standard deviation of each channel by layer."""
        model = self.model
        layers = chosen_layers(self, model, self.history)
        sums = {}
        for name, units in layer_outputs(model, layers, self.x, self.batch_size):
            exact = units.astype("float64")
            part = np.array([np.full(exact.shape[1], len(exact)), exact.sum(0), (exact**2).sum(0)])
            sums[name] = sums.get(name, 0.0) + part
        return {name: _moments(*total) for name, total in sums.items()}


def _moments(count, total, squares):
    mean = total / count
    return mean, np.sqrt(np.maximum(squares / count - mean**2, 0.0))


def _root_mean_square(values):
    return np.sqrt(np.mean(np.square(values)))
