"""A penalty on units that are active too often."""

import numbers
from typing import ClassVar

import keras
import numpy as np
from keras import ops

from kerasdl.registry import register
from kerasdl.regularizers.factor import checked_factor

_MARGIN = 1e-6


@register
class KLSparsity(keras.regularizers.Regularizer):
    """The divergence of the units' mean activations from a small target.

    ```
    penalty = factor * sum_i [t log(t / m_i) + (1 - t) log((1 - t) / (1 - m_i))]
    ```

    t is `target` and m_i the mean activation of unit i over the batch and, in a feature map or a
    sequence, over all positions. It is made for sigmoid activations. Beyond [1e-6, 1 - 1e-6] the
    penalty goes on along its tangent: it stays finite, and its gradient leads back.

    An `activity_regularizer` is divided by the batch size, since Keras expects a sum over samples.
    The divergence of a mean is none: **a call returns the penalty times the batch size**, so that
    the layer's loss is the penalty of the formula at any batch size. Small batches make the means
    noisy and the penalty too large. Masked steps count: Keras does not tell a regularizer of them.

    Args:
        factor: Weight of the penalty, at least 0.
        target: The mean activation wanted, in (0, 1).

    Raises:
        ValueError: `factor` is negative or not finite, `target` is not in (0, 1), or, when called,
            the activations lack a batch axis.

    Example:
        >>> keras.layers.Dense(64, "sigmoid", activity_regularizer=KLSparsity(0.1, target=0.05))

    Source:
        Ng: Sparse autoencoder, CS294A lecture notes, 2011. Lee, Ekanadham, Ng: Sparse deep belief
        net model for visual area V2, 2008.
    """

    rows_interact: ClassVar[bool] = True

    search_space: ClassVar = {
        "factor": {"min_value": 1e-4, "max_value": 1e1, "sampling": "log"},
        "target": [0.01, 0.05, 0.1, 0.2],
    }

    def __init__(self, factor=0.01, target=0.05):
        self.factor = checked_factor(self, factor)
        if not (isinstance(target, numbers.Real) and 0 < target < 1):
            raise ValueError(
                f"KLSparsity(target={target!r}): target must lie in (0, 1). Give the share of the "
                "inputs that a unit should respond to, such as 0.05."
            )
        self.target = float(target)

    @classmethod
    def example_inputs(cls):
        """Returns activations of a sigmoid layer."""
        return np.random.default_rng(0).uniform(0.01, 0.99, (6, 4)).astype("float32")

    def __call__(self, activations):
        """Returns the penalty times the batch size, a scalar of at least float32."""
        activations = ops.convert_to_tensor(activations)
        if len(activations.shape) < 2:
            raise ValueError(
                f"KLSparsity takes activations of shape (batch, ..., units), not "
                f"{tuple(activations.shape)}. It is an activity_regularizer, not one of a bias."
            )
        dtype = keras.backend.result_type(activations.dtype, "float32")
        axes = tuple(range(len(activations.shape) - 1))
        mean = ops.mean(ops.cast(activations, dtype), axis=axes)
        batch_size = ops.cast(ops.shape(activations)[0], dtype)
        return self.factor * batch_size * ops.sum(self._divergence(mean))

    def get_config(self):
        """Returns the constructor's arguments."""
        return {"factor": self.factor, "target": self.target}

    def _divergence(self, mean):
        t = self.target
        inside = ops.clip(mean, _MARGIN, 1 - _MARGIN)
        divergence = t * ops.log(t / inside) + (1 - t) * ops.log((1 - t) / (1 - inside))
        slope = (1 - t) / (1 - inside) - t / inside
        return divergence + ops.stop_gradient(slope) * (mean - inside)
