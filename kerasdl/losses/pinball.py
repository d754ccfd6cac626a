"""The pinball loss, whose minimum is a quantile."""

import numbers
from typing import ClassVar

import numpy as np
from keras import ops

from kerasdl.losses.elementwise_loss import ElementwiseLoss
from kerasdl.registry import register


@register
class Pinball(ElementwiseLoss):
    """The loss that is least when predictions are quantiles of the targets.

    ```
    loss = mean(q * max(0, y_true - y_pred) + (1 - q) * max(0, y_pred - y_true), axis=-1)
    ```

    With several quantiles the last axis of `y_pred` has one value for each, all for the same
    target. Nothing keeps these in order: quantiles may cross where data are few. With one float
    every element of `y_pred` has its own target; 0.5 is half the absolute error. The gradient where
    the error is 0 is 0.

    Args:
        quantiles: One level in (0, 1), or several, in the order of the predictions.
        reduction: How the samples' losses are combined; see `keras.losses.Loss`.
        name: Name of the instance.
        dtype: Dtype of the computation. Default: `keras.config.floatx()`.

    Input shape:
        Several quantiles: `y_pred` `(batch, ..., quantiles)`, `y_true` `(batch, ...)` or
        `(batch, ..., 1)`. One float: both of the same shape.

    Raises:
        ValueError: A quantile is not in (0, 1), there is none, or, when called, the shapes do not
            fit.

    Example:
        >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(3)])
        >>> model.compile(optimizer="adam", loss=Pinball((0.1, 0.5, 0.9)))

    Source:
        Koenker, Bassett: Regression quantiles, 1978.
    """

    other_settings: ClassVar[dict] = {"quantiles": (0.2, 0.4, 0.7)}

    @classmethod
    def example_inputs(cls):
        """Returns targets `(2, 1)` and three predicted quantiles of each."""
        return np.array([[0.5], [-1.0]]), np.array([[0.2, 0.6, 0.7], [-2.0, -1.5, -1.1]])

    def __init__(
        self,
        quantiles=(0.1, 0.5, 0.9),
        reduction="sum_over_batch_size",
        name="pinball",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        single = isinstance(quantiles, numbers.Real)
        levels = (quantiles,) if single else _sequence(quantiles)
        if not levels or not all(isinstance(q, numbers.Real) and 0 < q < 1 for q in levels):
            raise ValueError(
                f"Pinball(quantiles={quantiles!r}): quantiles must be a number in (0, 1) or "
                "several. Use 0.5 for the median, (0.1, 0.9) for an interval of 80 %."
            )
        self.quantiles = float(quantiles) if single else tuple(float(q) for q in levels)

    def call(self, y_true, y_pred):
        """Returns the loss of each sample.

        Raises:
            ValueError: The shapes do not fit.
        """
        if isinstance(self.quantiles, tuple):
            y_true = self._repeated(y_true, y_pred)
        return super().call(y_true, y_pred)

    def elementwise(self, y_true, y_pred):
        """Returns the loss of each element, in the predictions' shape."""
        level = ops.convert_to_tensor(self.quantiles, dtype=y_pred.dtype)
        error = y_true - y_pred
        return level * ops.relu(error) + (1 - level) * ops.relu(-error)

    def get_config(self):
        """Returns the constructor's arguments."""
        several = isinstance(self.quantiles, tuple)
        quantiles = list(self.quantiles) if several else self.quantiles
        return {**super().get_config(), "quantiles": quantiles}

    def _repeated(self, y_true, y_pred):
        shapes = tuple(y_true.shape), tuple(y_pred.shape)
        if len(shapes[0]) == len(shapes[1]) - 1:
            y_true = ops.expand_dims(y_true, -1)
        one_target = len(y_true.shape) == len(shapes[1]) and y_true.shape[-1] in (1, None)
        if not one_target or shapes[1][-1] not in (len(self.quantiles), None):
            raise ValueError(
                f"Pinball(quantiles={self.quantiles}) compares every target with "
                f"{len(self.quantiles)} predictions, but y_true has the shape {shapes[0]} and "
                f"y_pred {shapes[1]}. Let the last axis of y_pred have one value per quantile and "
                "that of y_true one value or be missing."
            )
        return ops.repeat(y_true, len(self.quantiles), axis=-1)


def _sequence(quantiles):
    try:
        return tuple(quantiles)
    except TypeError:
        return ()
