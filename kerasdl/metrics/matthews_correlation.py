"""Matthews' correlation coefficient."""

from typing import ClassVar

import numpy as np
from keras import ops

from kerasdl.metrics.confusion_matrix_metric import ConfusionMatrixMetric
from kerasdl.registry import register


@register
class MatthewsCorrelation(ConfusionMatrixMetric):
    """Correlation of true and predicted classes: 1 at best, 0 by chance, for any class balance.

    ```
    t_k, p_k = shares of class k among the true and among the predicted classes
    R = (accuracy - sum_k t_k * p_k) / sqrt((1 - sum_k t_k**2) * (1 - sum_k p_k**2))
    ```

    With two classes it is Matthews' phi coefficient, in [-1, 1]; with more, Gorodkin's R_K, whose
    minimum lies between -1 and 0. It is 0 where it is not defined: if all samples, or all
    predictions, are of one class, and before the first sample.

    Args:
        num_classes: Number of classes.
        threshold: Predictions with one column instead of two mean class 1 above it: 0.5 for
            probabilities, 0 for logits. With a column per class the largest decides, so that
            probabilities and logits do the same.
        name: Name of the instance.
        dtype: Dtype of the result. Default: `keras.config.floatx()`.

    Input shape:
        `y_pred`: `(batch, ..., num_classes)`; for two classes also `(batch, ..., 1)` or
        `(batch,)`. Integers are predicted classes, `(batch,)` or `(batch, ..., 1)`. `y_true`:
        integer labels, with or without a last axis of 1, or one-hot. Labels outside
        `0 ... num_classes - 1`, such as -1, are left out.

    Raises:
        ValueError: `num_classes` is less than 2, `threshold` is not finite, or, when updated, the
            shapes do not fit.

    Example:
        >>> model.compile(loss="binary_crossentropy", metrics=[MatthewsCorrelation()])

    Source:
        Matthews: Comparison of the predicted and observed secondary structure of T4 phage lysozyme,
        1975. Gorodkin: Comparing two K-category assignments by a K-category correlation
        coefficient, 2004.
    """

    other_settings: ClassVar[dict] = {"num_classes": 4}

    @classmethod
    def example(cls):
        """Returns a metric of three classes."""
        return cls(num_classes=3)

    @classmethod
    def example_inputs(cls):
        """Returns true and predicted classes, each of three."""
        return np.array([0, 1, 2, 2, 1, 0]), np.array([0, 2, 2, 1, 1, 0])

    def __init__(self, num_classes=2, threshold=0.5, name="matthews_correlation", dtype=None):
        super().__init__(num_classes, threshold, name, dtype)

    def result(self):
        """Returns the coefficient of all samples so far."""
        shares = self.shares()
        true, predicted = ops.sum(shares, axis=1), ops.sum(shares, axis=0)
        # 1 - p_k is summed from the other classes, and 1 - accuracy from the mistakes: where nearly
        # all is of one class, subtracting from 1 would leave only rounding.
        others = 1 - ops.eye(self.num_classes, dtype=shares.dtype)
        not_true, not_predicted = (ops.sum(others * share, axis=1) for share in (true, predicted))
        mistakes_by_chance = ops.sum(true * not_predicted)
        covariance = mistakes_by_chance - ops.sum(others * shares)
        scale = ops.sqrt(ops.sum(true * not_true)) * ops.sqrt(ops.sum(predicted * not_predicted))
        return ops.cast(ops.divide_no_nan(covariance, scale), self.dtype)
