"""The perceptron criterion for labels -1 and 1."""

from keras import ops

from kerasdl.losses.elementwise_loss import ElementwiseLoss
from kerasdl.registry import register


@register
class PerceptronLoss(ElementwiseLoss):
    """How far each score lies on the wrong side of 0; labels are -1 and 1.

    ```
    loss = mean(max(0, -y_true * y_pred), axis=-1)
    ```

    A score on the right side costs nothing, however small: there is no margin, unlike in
    `keras.losses.Hinge`, which is `max(0, 1 - y_true * y_pred)`. Scores of 0 everywhere cost
    nothing either; lest a model that starts there stay there, the gradient at 0 is `-y_true`, as
    in the perceptron's rule, which corrects unless the score is right: plain gradient descent on
    one sample of a linear model is that rule. A label 0 costs nothing and teaches nothing.

    Args:
        reduction: How the samples' losses are combined; see `keras.losses.Loss`.
        name: Name of the instance.
        dtype: Dtype of the computation. Default: `keras.config.floatx()`.

    Raises:
        ValueError: When called, if `y_true` and `y_pred` differ in shape.

    Example:
        >>> model.compile(optimizer="sgd", loss="kerasdl>PerceptronLoss")

    Source:
        The founding notes, which call it the hinge loss and turn the sign of the update.
        Rosenblatt: The perceptron, 1958.
    """

    def __init__(self, reduction="sum_over_batch_size", name="perceptron_loss", dtype=None):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def elementwise(self, y_true, y_pred):
        """Returns the loss of each element, in the predictions' shape."""
        margin = y_true * y_pred
        return ops.where(margin > 0, ops.zeros_like(margin), -margin)
