"""The layer that turns gradients around."""

import math
import numbers
from typing import ClassVar

import keras
from keras import ops

from kerasdl.registry import register


@register
class GradientReversal(keras.layers.Layer):
    """Identity whose gradient is multiplied by `-factor`.

    ```
    forward:  y = x
    backward: dL/dx = -factor * dL/dy
    ```

    Between a feature extractor and a domain classifier it trains the classifier to tell the domains
    apart and the extractor to make them indistinguishable. The output equals the input bit for bit
    in every dtype (but TensorFlow and JAX flush subnormal numbers to 0, as in all arithmetic), and
    the gradient is rounded once. Elements that are not finite get the gradient 0.

    A compiled model keeps the `factor` it was traced with: call `compile` again after changing it.

    Args:
        factor: Strength of the reversal, at least 0; 0 stops the gradient.
        **kwargs: `name`, `dtype` and the other arguments of `keras.layers.Layer`.

    Input shape:
        Any.

    Output shape:
        The input's.

    Raises:
        ValueError: `factor` is not a finite number of at least 0.

    Example:
        >>> domain = keras.layers.Dense(1)(GradientReversal(0.1)(features))

    Source:
        Ganin, Lempitsky: Unsupervised domain adaptation by backpropagation, 2015 (arXiv 1409.7495).
    """

    surrogate_gradient: ClassVar = True
    search_space: ClassVar = {"factor": {"min_value": 0.01, "max_value": 1.0, "sampling": "log"}}

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        if not (isinstance(factor, numbers.Real) and 0 <= factor < math.inf):
            raise ValueError(
                f"GradientReversal(factor={factor!r}): factor must be a finite number of at least "
                "0. The layer reverses the sign by itself: give the strength, such as 1.0."
            )
        self.factor = float(factor)
        self.supports_masking = True

    def call(self, inputs):
        """Returns the inputs."""
        constant = ops.stop_gradient(inputs)
        # The gradient flows through a zero: stop_gradient((1 + factor) * x) - factor * x, the usual
        # form, rounds, and overflows in float16. An infinity minus itself is NaN, hence the where.
        zero = ops.where(ops.isfinite(inputs), inputs - constant, ops.zeros_like(inputs))
        return constant - self.factor * zero

    def compute_output_shape(self, input_shape):
        """Returns the input's shape."""
        return input_shape

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "factor": self.factor}
