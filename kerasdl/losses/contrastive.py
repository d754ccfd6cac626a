"""The contrastive loss over distances of pairs."""

import math
import numbers
from typing import ClassVar

import numpy as np
from keras import ops

from kerasdl.losses.elementwise_loss import ElementwiseLoss
from kerasdl.registry import register


@register
class Contrastive(ElementwiseLoss):
    """Pulls similar pairs together and pushes others apart, up to a margin.

    ```
    loss = mean(y_true * y_pred**2 + (1 - y_true) * max(0, margin - y_pred)**2, axis=-1)
    ```

    `y_pred` is the distance of a pair, such as the Euclidean distance between the two outputs of a
    siamese network; `y_true` is **1 for a similar pair** and 0 for a dissimilar one. The paper has
    it the other way round (its Y is `1 - y_true`) and half of these values. Distances are taken as
    they are: give a distance whose gradient is finite where it is 0.

    Args:
        margin: Positive distance from which on a dissimilar pair costs nothing.
        reduction: How the samples' losses are combined; see `keras.losses.Loss`.
        name: Name of the instance.
        dtype: Dtype of the computation. Default: `keras.config.floatx()`.

    Raises:
        ValueError: `margin` is not a positive finite number, or, when called, `y_true` and `y_pred`
            differ in shape.

    Example:
        >>> siamese.compile(optimizer="adam", loss=Contrastive(margin=1.0))

    Source:
        Hadsell, Chopra, LeCun: Dimensionality reduction by learning an invariant mapping, 2006,
        equation 4.
    """

    search_space: ClassVar = {"margin": {"min_value": 0.1, "max_value": 10.0, "sampling": "log"}}

    @classmethod
    def example_inputs(cls):
        """Returns similar and dissimilar pairs and their distances."""
        return np.array([[1.0], [0.0], [0.0]]), np.array([[0.4], [0.3], [1.7]])

    def __init__(self, margin=1.0, reduction="sum_over_batch_size", name="contrastive", dtype=None):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if not (isinstance(margin, numbers.Real) and 0 < margin < math.inf):
            raise ValueError(
                f"Contrastive(margin={margin!r}): margin must be a positive finite number. "
                "Give the distance that dissimilar pairs should keep, such as 1.0."
            )
        self.margin = float(margin)

    def elementwise(self, y_true, y_pred):
        """Returns the loss of each pair, in the predictions' shape."""
        apart = ops.square(ops.relu(self.margin - y_pred))
        return y_true * ops.square(y_pred) + (1 - y_true) * apart

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "margin": self.margin}
