"""The Huber loss, with a configuration that is kept."""

import math
import numbers
from typing import ClassVar

from keras import ops

from kerasdl.losses.elementwise_loss import ElementwiseLoss
from kerasdl.registry import register


@register
class Huber(ElementwiseLoss):
    """Quadratic where the error is at most `delta`, linear beyond.

    ```
    loss = mean(e**2 / 2                if e <= delta
                delta * (e - delta / 2) otherwise, axis=-1)    with e = |y_pred - y_true|
    ```

    The values are those of `keras.losses.Huber`, which in Keras 3.15 forgets `delta` when it is
    saved: a model that was trained with `delta=5` goes on with 1 (mended by keras-team/keras#23286
    in later releases).

    Args:
        delta: Positive error at which the straight line begins, in the targets' unit.
        reduction: How the samples' losses are combined; see `keras.losses.Loss`.
        name: Name of the instance.
        dtype: Dtype of the computation. Default: `keras.config.floatx()`.

    Raises:
        ValueError: `delta` is not a positive finite number, or, when called, `y_true` and `y_pred`
            differ in shape.

    Example:
        >>> model.compile(optimizer="adam", loss=Huber(delta=5.0))

    Source:
        Huber: Robust estimation of a location parameter, 1964.
    """

    search_space: ClassVar = {"delta": {"min_value": 0.1, "max_value": 10.0, "sampling": "log"}}

    def __init__(self, delta=1.0, reduction="sum_over_batch_size", name="huber", dtype=None):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if not (isinstance(delta, numbers.Real) and 0 < delta < math.inf):
            raise ValueError(
                f"Huber(delta={delta!r}): delta must be a positive finite number. "
                "Give the size of error from which on a target counts as an outlier, such as 1.0."
            )
        self.delta = float(delta)

    def elementwise(self, y_true, y_pred):
        """Returns the loss of each element, in the predictions' shape."""
        error = ops.abs(y_pred - y_true)
        # One product instead of two branches: no square overflows before the loss itself does.
        clipped = ops.minimum(error, self.delta)
        return clipped * (error - clipped / 2)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "delta": self.delta}
