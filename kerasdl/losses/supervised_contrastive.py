"""The supervised contrastive loss."""

import math
import numbers
from typing import ClassVar

import numpy as np
from keras import ops

from kerasdl.losses.batchwise_loss import BatchwiseLoss, others
from kerasdl.losses.pairwise_distances import unit_rows
from kerasdl.registry import register


@register
class SupervisedContrastive(BatchwiseLoss):
    """Cross-entropy of finding, among all other samples of the batch, those of one's own class.

    ```
    s_ab = cosine(z_a, z_b) / temperature
    loss_a = -mean_p(log(exp(s_ap) / sum_{b != a} exp(s_ab)))
    ```

    Each sample of the batch is an anchor a; p runs over the other samples of its class. The
    embeddings z are divided by their lengths here. An anchor without a positive counts 0, also in
    the mean over the batch: let a batch have several samples of each class, or several augmented
    views of each sample, one row each, with its label repeated.

    Args:
        temperature: Positive divisor of the cosines; the smaller, the more the nearest negatives
            count.
        reduction: How the samples' losses are combined; see `keras.losses.Loss`.
        name: Name of the instance.
        dtype: Dtype of the computation. Default: `keras.config.floatx()`.

    Input shape:
        `y_true`: labels `(batch,)` or `(batch, 1)`; integers of any size, or rows such as one-hot
        ones. `y_pred`: embeddings `(batch, features)`.

    Raises:
        ValueError: `temperature` is not a positive finite number, or, when called, the shapes do
            not fit.

    Example:
        >>> encoder.compile(optimizer="adam", loss=SupervisedContrastive(temperature=0.1))

    Source:
        Khosla et al.: Supervised contrastive learning, 2020 (arXiv 2004.11362), equation 2. The
        authors' code multiplies it by `temperature / 0.07`.
    """

    search_space: ClassVar = {"temperature": {"min_value": 0.03, "max_value": 1, "sampling": "log"}}

    @classmethod
    def example_inputs(cls):
        """Returns labels of three classes and embeddings `(6, 2)`."""
        embeddings = [[0.1, 0.9], [0.4, 0.5], [1.2, 0.3], [0.2, 0.4], [0.9, 1.4], [-0.6, 0.1]]
        return np.array([0, 0, 1, 1, 0, 2]), np.array(embeddings)

    def __init__(
        self,
        temperature=0.1,
        reduction="sum_over_batch_size",
        name="supervised_contrastive",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if not (isinstance(temperature, numbers.Real) and 0 < temperature < math.inf):
            raise ValueError(
                f"SupervisedContrastive(temperature={temperature!r}): temperature must be a "
                "positive finite number. Use 0.1 as the paper does."
            )
        self.temperature = float(temperature)

    def sample_losses(self, same, embeddings):
        """Returns the loss of each anchor."""
        rows = unit_rows(embeddings)
        other = others(same)
        positive = ops.cast(ops.logical_and(same, other), rows.dtype)
        # No cosine is below -1: an anchor's own exponential vanishes without an infinity.
        scores = ops.where(other, ops.matmul(rows, ops.transpose(rows)), -1.0) / self.temperature
        scores = scores - ops.stop_gradient(ops.max(scores, axis=1, keepdims=True))
        total = ops.sum(ops.where(other, ops.exp(scores), 0.0), axis=1, keepdims=True)
        # The largest exponential is 1, so the sum is 0 only in a batch of one sample.
        surprise = ops.log(ops.where(total > 0, total, ops.ones_like(total))) - scores
        count = ops.maximum(ops.sum(positive, axis=1), 1)
        return ops.sum(positive * surprise, axis=1) / count

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "temperature": self.temperature}
