"""The negative log-likelihood of a Gaussian whose scale is predicted, too."""

import math
import numbers
from typing import ClassVar

import numpy as np
from keras import ops

from kerasdl.losses.elementwise_loss import ElementwiseLoss
from kerasdl.losses.precision import at_least_float32
from kerasdl.registry import register


@register
class GaussianNLL(ElementwiseLoss):
    """Negative log-likelihood of targets under a predicted mean and a predicted scale.

    ```
    mean, raw = the first and the second half of the last axis of y_pred
    scale = min_scale + softplus(raw)
    loss = mean((log(scale) + ((y_true - mean) / scale)**2 / 2) * stop_gradient(scale)**(2 * beta),
                axis=-1)
    ```

    A network with `2 * k` linear outputs learns `k` targets and how sure it is of each: first the
    `k` means, then the `k` raw scales. The constant `log(2 * pi) / 2` is left out, and a density
    can exceed 1: the loss may be negative.

    With `beta=0` it is the likelihood itself, under which a target counts the less the larger its
    predicted scale is; means that are hard to fit may be given up as noise. `beta=1` gives the mean
    the gradient of the squared error, 0.5 is the paper's compromise.

    Args:
        beta: Exponent of the weight by the predicted variance, in [0, 1].
        min_scale: Positive floor of the scale, in the targets' unit: it bounds the loss from below
            and the gradients from above.
        reduction: How the samples' losses are combined; see `keras.losses.Loss`.
        name: Name of the instance.
        dtype: Dtype of the computation. Default: `keras.config.floatx()`.

    Input shape:
        `y_true`: `(batch, ..., k)`; for `k = 1` the last axis may be missing. `y_pred`:
        `(batch, ..., 2 * k)`.

    Raises:
        ValueError: `beta` is not in [0, 1], `min_scale` is not a positive finite number, or, when
            called, the shapes do not fit.

    Example:
        >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])
        >>> model.compile(optimizer="adam", loss=GaussianNLL(beta=0.5))

    Source:
        The founding notes. Nix, Weigend: Estimating the mean and variance of the target probability
        distribution, 1994. Seitzer, Tavakoli, Antic, Martius: On the pitfalls of heteroscedastic
        uncertainty estimation with probabilistic neural networks, 2022 (arXiv 2203.09168), for
        `beta`.
    """

    search_space: ClassVar = {"beta": {"min_value": 0.0, "max_value": 1.0}}

    @classmethod
    def example_inputs(cls):
        """Returns targets `(2, 1)` and their means and raw scales `(2, 2)`."""
        return np.array([[0.5], [-1.0]]), np.array([[0.2, -0.5], [0.4, 1.5]])

    def __init__(
        self,
        beta=0.0,
        min_scale=1e-3,
        reduction="sum_over_batch_size",
        name="gaussian_nll",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if not (isinstance(beta, numbers.Real) and 0 <= beta <= 1):
            raise ValueError(
                f"GaussianNLL(beta={beta!r}): beta must lie in [0, 1]. "
                "Use 0 for the plain likelihood, 0.5 where the means are slow to fit."
            )
        if not (isinstance(min_scale, numbers.Real) and 0 < min_scale < math.inf):
            raise ValueError(
                f"GaussianNLL(min_scale={min_scale!r}): min_scale must be a positive finite "
                "number. Give the smallest standard deviation that targets may have, such as 1e-3."
            )
        self.beta = float(beta)
        self.min_scale = float(min_scale)

    def call(self, y_true, y_pred):
        """Returns the loss of each sample.

        Raises:
            ValueError: The shapes do not fit.
        """
        mean, raw = self._halves(y_pred)
        y_true, mean = map(at_least_float32, self._paired(y_true, mean))
        scale = self.min_scale + ops.softplus(at_least_float32(raw))
        scale = ops.reshape(scale, ops.shape(mean))
        loss = ops.log(scale) + ops.square((y_true - mean) / scale) / 2
        return ops.mean(loss * ops.stop_gradient(scale) ** (2 * self.beta), axis=-1)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "beta": self.beta, "min_scale": self.min_scale}

    def _halves(self, y_pred):
        width = y_pred.shape[-1] if len(y_pred.shape) > 1 else None
        if width is None or width % 2:
            raise ValueError(
                f"{type(self).__name__} takes the first half of the last axis of y_pred as means "
                f"and the second as raw scales, but y_pred has the shape {tuple(y_pred.shape)}. "
                "Let the last layer have 2 outputs per target."
            )
        return y_pred[..., : width // 2], y_pred[..., width // 2 :]
