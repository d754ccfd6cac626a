"""The expected cost of acting on predicted probabilities."""

from typing import ClassVar

import keras
import numpy as np
from keras import ops

from kerasdl.losses.precision import at_least_float32
from kerasdl.registry import register


@register
class ExpectedCost(keras.losses.Loss):
    """Mean cost of an action drawn from the predicted probabilities.

    ```
    loss = sum_j p_j * cost[y_true, j]
    ```

    p is `y_pred`, or its softmax. `cost[c, j]` is what action j costs where c is the true class; a
    class may have as many actions as one likes, for example one more for "ask a human". With
    `cost = 1 - identity` it is the probability of a mistake. It is linear in p: the minimum is to
    take the cheapest action for sure, and the probabilities are not calibrated. Where a confident
    mistake must be unlearned, its gradient is small; a warm start with cross-entropy helps.

    Args:
        cost: Matrix `(classes, actions)` of finite numbers: nested lists or an array.
        from_logits: Whether `y_pred` holds logits. Probabilities are taken as they are: they are
            not divided by their sum.
        reduction: How the samples' losses are combined; see `keras.losses.Loss`.
        name: Name of the instance.
        dtype: Dtype of the computation. Default: `keras.config.floatx()`. It must hold the labels:
            bfloat16 has no integers beyond 256, float16 none beyond 2048.

    Input shape:
        `y_true`: integer labels from 0 to `classes - 1`, `(batch, ...)` or `(batch, ..., 1)`.
        `y_pred`: `(batch, ..., actions)`.

    Raises:
        ValueError: `cost` is no matrix of finite numbers, or, when called, the shapes do not fit.

    Example:
        >>> model.compile(optimizer="adam", loss=ExpectedCost([[0, 1], [50, 0]], from_logits=True))

    Source:
        The founding notes. Elkan: The foundations of cost-sensitive learning, 2001, equation 1,
        whose matrix is the transpose.
    """

    other_settings: ClassVar[dict] = {"cost": [[0.0, 2.0, 1.0], [4.0, 0.5, 3.0]]}

    @classmethod
    def example(cls):
        """Returns a loss for two classes and three actions."""
        return cls([[0.0, 1.0, 0.2], [5.0, 0.0, 0.3]])

    @classmethod
    def example_inputs(cls):
        """Returns two labels and the probabilities of three actions for each."""
        return np.array([1, 0]), np.array([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]])

    def __init__(
        self,
        cost,
        from_logits=False,
        reduction="sum_over_batch_size",
        name="expected_cost",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.cost = _matrix(cost)
        self.from_logits = bool(from_logits)

    def call(self, y_true, y_pred):
        """Returns the loss of each sample.

        Raises:
            ValueError: The shapes do not fit.
        """
        labels = ops.cast(self._labels(y_true, y_pred), "int32")
        y_pred = at_least_float32(y_pred)
        probabilities = ops.softmax(y_pred, axis=-1) if self.from_logits else y_pred
        cost = ops.convert_to_tensor(self.cost, dtype=y_pred.dtype)
        return ops.sum(probabilities * ops.take(cost, labels, axis=0), axis=-1)

    def get_config(self):
        """Returns the constructor's arguments, `dtype` included."""
        own = {"cost": self.cost, "from_logits": self.from_logits, "dtype": self.dtype}
        return {**super().get_config(), **own}

    def _labels(self, y_true, y_pred):
        shapes = tuple(y_true.shape), tuple(y_pred.shape)
        if len(shapes[0]) == len(shapes[1]) and shapes[0][-1] == 1:
            y_true = ops.squeeze(y_true, axis=-1)
        actions = len(self.cost[0])
        if len(y_true.shape) != len(shapes[1]) - 1 or shapes[1][-1] not in (actions, None):
            raise ValueError(
                f"ExpectedCost has a cost matrix for {len(self.cost)} classes and {actions} "
                f"actions, but y_true has the shape {shapes[0]} and y_pred {shapes[1]}. Give "
                f"integer labels (batch,) and predictions (batch, {actions})."
            )
        return y_true


def _matrix(cost):
    try:
        matrix = np.asarray(cost, "float64")
    except (TypeError, ValueError):
        matrix = np.empty(0)
    if matrix.ndim != 2 or not matrix.size or not np.isfinite(matrix).all():
        raise ValueError(
            f"ExpectedCost(cost={cost!r}): cost must be a matrix of finite numbers, a row per true "
            "class and a column per action, such as [[0, 1], [5, 0]]."
        )
    return matrix.tolist()
