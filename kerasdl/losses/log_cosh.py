"""The log-cosh loss with a sharpness."""

import math
import numbers
from typing import ClassVar

from keras import ops

from kerasdl.losses.elementwise_loss import ElementwiseLoss
from kerasdl.registry import register


@register
class LogCosh(ElementwiseLoss):
    """Logarithm of the hyperbolic cosine of the error: quadratic near 0, linear far out.

    ```
    loss = mean(log(cosh(beta * (y_pred - y_true))) / beta, axis=-1)
    ```

    An error e costs `beta / 2 * e**2` where `|beta * e|` is small and `|e| - log(2) / beta` where
    it is large: `beta` moves the bend, the slope far out is 1 whatever `beta`. `beta=1` is
    `keras.losses.LogCosh`, which has no `beta` and cancels near 0 (in float32 it is 7 % off at
    e = 1e-3 and 0 at e = 1e-4); this form is accurate everywhere.

    Args:
        beta: Positive sharpness of the bend, in units of one over the targets' unit.
        reduction: How the samples' losses are combined; see `keras.losses.Loss`.
        name: Name of the instance.
        dtype: Dtype of the computation. Default: `keras.config.floatx()`. The loss of a 16-bit
            dtype is computed in float32 and rounded at the end.

    Raises:
        ValueError: `beta` is not a positive finite number, or, when called, `y_true` and `y_pred`
            differ in shape.

    Example:
        >>> model.compile(optimizer="adam", loss=LogCosh(beta=2.0))

    Source:
        The founding notes. Saleh, Saleh: Statistical properties of the log-cosh loss function used
        in machine learning, 2022 (arXiv 2208.04564), for `beta = 1`.
    """

    search_space: ClassVar = {"beta": {"min_value": 0.1, "max_value": 10.0, "sampling": "log"}}

    def __init__(self, beta=1.0, reduction="sum_over_batch_size", name="log_cosh", dtype=None):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if not (isinstance(beta, numbers.Real) and 0 < beta < math.inf):
            raise ValueError(
                f"LogCosh(beta={beta!r}): beta must be a positive finite number. "
                "Use 1 for the loss of Keras, more for a sharper bend."
            )
        self.beta = float(beta)

    def elementwise(self, y_true, y_pred):
        """Returns the loss of each element, in the predictions' shape."""
        error = self.beta * (y_pred - y_true)
        return _log_cosh(error) / self.beta

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "beta": self.beta}


def _log_cosh(x):
    x = ops.abs(x)
    # log1p(2 sinh(x/2)^2) does not cancel near 0 but overflows far out. Beyond 20 the straight line
    # is right to the last bit of float64; there sinh is given a 0, lest its gradient become NaN.
    far = x > 20
    near = ops.where(far, ops.zeros_like(x), x)
    curve = ops.log1p(2 * ops.square(ops.sinh(near / 2)))
    return ops.where(far, x - math.log(2), curve)
