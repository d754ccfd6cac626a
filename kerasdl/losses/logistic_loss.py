"""The logistic loss for labels -1 and 1."""

from keras import ops

from kerasdl.losses.elementwise_loss import ElementwiseLoss
from kerasdl.registry import register


@register
class LogisticLoss(ElementwiseLoss):
    """Negative log-likelihood of labels -1 and 1 under logits.

    ```
    loss = mean(log(1 + exp(-y_true * y_pred)), axis=-1)
    ```

    With labels 0 and 1, `keras.losses.BinaryCrossentropy(from_logits=True)` is the same loss;
    `2 * labels - 1` turns them into these. A label 0 costs log(2) and teaches nothing. For several
    classes, one column each with 1 for the true class and -1 elsewhere trains one-against-rest.

    Args:
        reduction: How the samples' losses are combined; see `keras.losses.Loss`.
        name: Name of the instance.
        dtype: Dtype of the computation. Default: `keras.config.floatx()`.

    Raises:
        ValueError: When called, if `y_true` and `y_pred` differ in shape.

    Example:
        >>> model.compile(optimizer="adam", loss="kerasdl>LogisticLoss")

    Source:
        The founding notes. Friedman, Hastie, Tibshirani: Additive logistic regression, 2000, whose
        F is half of `y_pred`.
    """

    def __init__(self, reduction="sum_over_batch_size", name="logistic_loss", dtype=None):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def elementwise(self, y_true, y_pred):
        """Returns the loss of each element, in the predictions' shape."""
        return ops.softplus(-y_true * y_pred)
