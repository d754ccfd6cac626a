"""The mean of the weights that a training passes through."""

import contextlib
import numbers
import warnings
from typing import ClassVar

import keras
import numpy as np
from keras import ops

from kerasdl.backend import preserved_randomness
from kerasdl.callbacks.layer_outputs import batches
from kerasdl.registry import register


@register
class StochasticWeightAveraging(keras.callbacks.Callback):
    """Ends a training with the mean of the weights at the ends of its last epochs.

    ```
    average = (count * average + weights) / (count + 1)    at the end of each epoch from start_epoch
    ```

    The mean is kept in float64, apart from the model: training and validation are not changed, and
    the model gets it when `fit` ends. Batch normalization needs the statistics of the averaged
    network: they are taken anew over `x`, in training mode, as the plain mean over the batches.
    Nothing else that this pass changes is kept. To average well, the learning rate must stay high
    or cycle (`Cyclical`) while the weights are collected. Other callbacks that set the weights when
    a training ends, such as `EarlyStopping(restore_best_weights=True)`, undo the average or are
    undone by it, as they come later or earlier in the list.

    When an exception ends the `fit`, the model keeps the weights it then has, as without this
    callback; the mean up to there is in `average`.

    Args:
        start_epoch: The first epoch, counted from 0, whose weights count; three quarters of the
            training in the paper.
        x: Inputs for the statistics of batch normalization: an array or a structure of arrays.
            Needed only for models with such layers that train.
        batch_size: Samples per run over `x`; as in training.
        every: Epochs between the weights that count.

    Attributes:
        average: The mean, one float64 array for each trainable weight, or `None`.
        count: How many epochs it holds.

    Raises:
        ValueError: A bad argument; or, at the start of `fit`, batch normalization without `x`.

    Example:
        >>> swa = StochasticWeightAveraging(start_epoch=15, x=x_train)
        >>> model.fit(x_train, y_train, epochs=20, callbacks=[swa])

    Source:
        Izmailov, Podoprikhin, Garipov, Vetrov, Wilson: Averaging weights leads to wider optima and
        better generalization, 2018 (arXiv 1803.05407), algorithm 1.
    """

    changes_training: ClassVar = True

    def __init__(self, start_epoch, x=None, batch_size=32, every=1):
        super().__init__()
        minima = {
            "start_epoch": (start_epoch, 0),
            "batch_size": (batch_size, 1),
            "every": (every, 1),
        }
        for name, (value, minimum) in minima.items():
            if not isinstance(value, numbers.Integral) or value < minimum:
                raise ValueError(
                    f"StochasticWeightAveraging({name}={value!r}): {name} must be an integer of at "
                    f"least {minimum}. Epochs are counted from 0."
                )
        self.start_epoch = start_epoch
        self.x = x
        self.batch_size = batch_size
        self.every = every
        self.average = None
        self.count = 0

    @classmethod
    def example(cls):
        """Returns an instance that averages all epochs, for a model of four inputs."""
        return cls(0, np.zeros((8, 4), "float32"))

    def on_train_begin(self, logs=None):
        """Forgets a former mean."""
        self.average = None
        self.count = 0
        normalizations = _normalizations(self.model)
        if normalizations and self.x is None:
            raise ValueError(
                "StochasticWeightAveraging needs data for the statistics of batch normalization "
                f"({', '.join(layer.name for layer in normalizations)}). Give it: "
                "StochasticWeightAveraging(start_epoch, x=x_train)."
            )

    def on_epoch_end(self, epoch, logs=None):
        """Takes the weights into the mean."""
        if epoch < self.start_epoch or (epoch - self.start_epoch) % self.every:
            return
        variables = self.model.trainable_variables
        values = [np.array(ops.convert_to_numpy(v), "float64") for v in variables]
        former = self.average or [np.zeros_like(value) for value in values]
        self.count += 1
        self.average = [a + (v - a) / self.count for a, v in zip(former, values, strict=True)]

    def on_train_end(self, logs=None):
        """Gives the model the mean and fresh statistics."""
        if self.average is None:
            warnings.warn(
                f"StochasticWeightAveraging(start_epoch={self.start_epoch}) averaged nothing: the "
                "training ended before. The model keeps its last weights.",
                stacklevel=2,
            )
            return
        model = self.model
        for variable, value in zip(model.trainable_variables, self.average, strict=True):
            variable.assign(ops.cast(value, variable.dtype))
        normalizations = _normalizations(model)
        if normalizations:
            _recalibrate(model, normalizations, self.x, self.batch_size)


def _normalizations(model):
    """The layers of batch normalization that take statistics in training."""
    return [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]


def _recalibrate(model, normalizations, x, batch_size):
    """Sets the moving statistics to their means over the batches of `x`."""
    statistics = {
        id(variable)
        for layer in normalizations
        for variable in (layer.moving_mean, layer.moving_variance)
    }
    others = [
        (variable, np.array(ops.convert_to_numpy(variable)))
        for variable in model.variables
        if id(variable) not in statistics
    ]
    with _kept_momentum(normalizations), preserved_randomness():
        for number, batch in enumerate(batches(x, batch_size)):
            for layer in normalizations:
                layer.momentum = number / (number + 1)
            model(batch, training=True)
    for variable, value in others:
        variable.assign(value)


@contextlib.contextmanager
def _kept_momentum(layers):
    momenta = [layer.momentum for layer in layers]
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
