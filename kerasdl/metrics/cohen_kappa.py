"""Cohen's kappa, plain or weighted."""

from typing import ClassVar

import numpy as np
from keras import ops

from kerasdl.metrics.confusion_matrix_metric import ConfusionMatrixMetric
from kerasdl.registry import register

_WEIGHTINGS = {
    None: lambda steps: np.minimum(steps, 1.0),
    "linear": lambda steps: steps,
    "quadratic": np.square,
}


@register
class CohenKappa(ConfusionMatrixMetric):
    """Agreement of true and predicted classes beyond chance: 1 at best, 0 by chance.

    ```
    kappa = 1 - sum_kl w_kl * share_kl / sum_kl w_kl * t_k * p_l
    ```

    share is the confusion matrix divided by its sum, t and p are its sums over rows and columns,
    and w says how bad a confusion is: 1 between any two classes, or the distance `|k - l|` of
    ordered classes, or its square. It is 0 where it is not defined (scikit-learn returns NaN): if
    all samples and all predictions are of the same class, and before the first sample.

    Args:
        num_classes: Number of classes.
        weighting: `None`, `"linear"` or `"quadratic"`.
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
        ValueError: `num_classes` is less than 2, `weighting` is unknown, `threshold` is not finite,
            or, when updated, the shapes do not fit.

    Example:
        >>> model.compile(loss=loss, metrics=[CohenKappa(num_classes=5, weighting="quadratic")])

    Source:
        Cohen: A coefficient of agreement for nominal scales, 1960; and Weighted kappa, 1968.
    """

    other_settings: ClassVar[dict] = {"num_classes": 4, "weighting": "quadratic"}

    @classmethod
    def example(cls):
        """Returns a metric of three classes."""
        return cls(num_classes=3)

    @classmethod
    def example_inputs(cls):
        """Returns true and predicted classes, each of three."""
        return np.array([0, 1, 2, 2, 1, 0]), np.array([0, 2, 2, 0, 1, 0])

    def __init__(
        self, num_classes=2, weighting=None, threshold=0.5, name="cohen_kappa", dtype=None
    ):
        super().__init__(num_classes, threshold, name, dtype)
        if weighting not in _WEIGHTINGS:
            raise ValueError(
                f"CohenKappa(weighting={weighting!r}): weighting must be one of "
                f"{', '.join(map(repr, _WEIGHTINGS))}. Use None where classes have no order."
            )
        self.weighting = weighting

    def result(self):
        """Returns the kappa of all samples so far."""
        shares = self.shares()
        by_chance = ops.sum(shares, axis=1, keepdims=True) * ops.sum(shares, axis=0, keepdims=True)
        classes = np.arange(self.num_classes, dtype="float64")
        badness = _WEIGHTINGS[self.weighting](np.abs(classes[:, None] - classes))
        badness = ops.convert_to_tensor(badness, dtype=shares.dtype)
        expected = ops.sum(badness * by_chance)
        kappa = ops.divide_no_nan(expected - ops.sum(badness * shares), expected)
        return ops.cast(kappa, self.dtype)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "weighting": self.weighting}
