"""Watching for gradients that vanish or explode."""

import math
import numbers
import warnings

import keras
import numpy as np
from keras import ops

from kerasdl.backend import preserved_randomness, vjp
from kerasdl.callbacks.layer_outputs import layers_of
from kerasdl.registry import register


@register
class GradientHealth(keras.callbacks.Callback):
    """The length of the loss' gradient by layer, at the end of each epoch, on given data.

    The gradient is that of the compiled loss, penalties included, with respect to the trainable
    weights of a layer, in training mode; it is taken before any clipping or loss scaling. A layer
    is flagged as vanishing below one bound and as exploding above the other or when its gradient is
    not finite: a warning says so once per layer and `fit`. Neither is proof: where the loss is at
    its minimum, gradients are small for a good reason. Training itself is not changed: the random
    numbers and the batch statistics of the extra pass are thrown away.

    Args:
        x: Inputs of the model, one batch: an array or a structure of arrays.
        y: The targets for them.
        vanishing: Lengths below are flagged; at least 0.
        exploding: Lengths above are flagged; more than `vanishing`.

    Attributes:
        history: Layer name -> lengths at the end of each epoch of the last `fit`. The logs get the
            length for all layers together as `"gradient_norm"`.
        flags: `(epoch, layer name, "vanishing" or "exploding")` of the last `fit`, in order.

    Raises:
        ValueError: The bounds are not in order.

    Example:
        >>> health = GradientHealth(x_train[:256], y_train[:256])
        >>> model.fit(x_train, y_train, epochs=5, callbacks=[health])
        >>> health.history["dense"]

    Source:
        The founding notes. Glorot, Bengio: Understanding the difficulty of training deep
        feedforward neural networks, 2010.
    """

    def __init__(self, x, y, vanishing=1e-7, exploding=1e3):
        super().__init__()
        bounds = (vanishing, exploding)
        if not (all(isinstance(b, numbers.Real) for b in bounds) and 0 <= vanishing < exploding):
            raise ValueError(
                f"GradientHealth(vanishing={vanishing!r}, exploding={exploding!r}): two numbers in "
                "this order are expected, at least 0. The defaults are 1e-7 and 1e3."
            )
        self.x = x
        self.y = y
        self.vanishing = float(vanishing)
        self.exploding = float(exploding)
        self.history = {}
        self.flags = []

    @classmethod
    def example(cls):
        """Returns an instance with data for a model of four inputs and one output."""
        return cls(np.ones((8, 4), "float32"), np.ones((8, 1), "float32"))

    def on_train_begin(self, logs=None):
        """Starts a new history."""
        self.history = {}
        self.flags = []

    def on_epoch_end(self, epoch, logs=None):
        """Appends the lengths to the history and flags those beyond the bounds."""
        squares = self._squares()
        for name, square in squares.items():
            length = math.sqrt(square)
            self.history.setdefault(name, []).append(length)
            self._judge(epoch, name, length)
        if logs is not None:
            logs["gradient_norm"] = math.sqrt(sum(squares.values()))

    def _squares(self):
        """The squared lengths by layer."""
        model = self.model
        variables = model.trainable_variables
        with preserved_randomness():
            _, pullback = vjp(
                lambda values: _loss(model, variables, values, self.x, self.y),
                [ops.convert_to_tensor(variable) for variable in variables],
            )
        owners = {
            id(variable): name
            for name, layer in layers_of(model).items()
            for variable in layer.trainable_variables
        }
        squares = {}
        for variable, gradient in zip(variables, pullback(ops.ones(())), strict=True):
            exact = ops.convert_to_numpy(ops.cast(gradient, "float32")).astype("float64")
            owner = owners.get(id(variable), model.name)
            squares[owner] = squares.get(owner, 0.0) + float(np.sum(exact**2))
        return squares

    def _judge(self, epoch, name, length):
        if self.vanishing <= length <= self.exploding:
            return
        verdict = "vanishing" if length < self.vanishing else "exploding"
        if not any(flag[1:] == (name, verdict) for flag in self.flags):
            warnings.warn(
                f"The gradient of the layer {name!r} is {verdict}: its length is {length:.3g} "
                f"after epoch {epoch}. See the attributes `history` and `flags` of GradientHealth.",
                stacklevel=2,
            )
        self.flags.append((epoch, name, verdict))


def _loss(model, variables, values, x, y):
    """The loss for other values of the variables; nothing that the pass changes is kept."""
    with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
        y_pred = model(x, training=True)
        return ops.cast(model.compute_loss(x=x, y=y, y_pred=y_pred, training=True), "float32")
