"""The expected calibration error."""

import numbers

import keras
import numpy as np
from keras import ops

from kerasdl.metrics.class_labels import class_labels
from kerasdl.metrics.sample_weights import sample_weights
from kerasdl.registry import register


@register
class ExpectedCalibrationError(keras.metrics.Metric):
    """How far confidence is from accuracy, on average over bins of equal confidence.

    ```
    error = sum_b |sum_{i in b} (correct_i - confidence_i)| / n
    ```

    The confidence of a prediction is its largest probability; it is correct if that is the true
    class. The bins are of equal width, `((b - 1) / bins, b / bins]`. What over- and underconfidence
    within a bin cancel is not seen, and few samples per bin make the error too large: compare
    models on the same number of samples. It is 0 before the first sample.

    Args:
        bins: Number of bins, at least 1.
        from_logits: Whether `y_pred` holds logits.
        name: Name of the instance.
        dtype: Dtype of the result. Default: `keras.config.floatx()`. Sums are kept in float32 at
            least.

    Input shape:
        `y_pred`: `(batch, ..., classes)`, or the probability (the logit) of class 1 of two,
        `(batch, ..., 1)` or `(batch,)`. `y_true`: integer labels, with or without a last axis of 1,
        or one-hot.

    Raises:
        ValueError: `bins` is no integer of at least 1, or, when updated, the shapes do not fit.

    Example:
        >>> model.compile(loss=loss, metrics=[ExpectedCalibrationError(from_logits=True)])

    Source:
        Guo, Pleiss, Sun, Weinberger: On calibration of modern neural networks, 2017 (arXiv
        1706.04599), equation 5.
    """

    _direction = "down"  # what callbacks with mode="auto" read

    @classmethod
    def example_inputs(cls):
        """Returns labels and the probabilities of three classes."""
        return np.array([0, 2]), np.array([[0.55, 0.25, 0.2], [0.12, 0.7, 0.18]])

    def __init__(self, bins=15, from_logits=False, name="expected_calibration_error", dtype=None):
        super().__init__(name=name, dtype=dtype)
        if not (isinstance(bins, numbers.Integral) and bins >= 1):
            raise ValueError(
                f"ExpectedCalibrationError(bins={bins!r}): bins must be an integer of at least 1. "
                "Use 15 as the paper does, fewer for less than some thousand samples."
            )
        self.bins = int(bins)
        self.from_logits = bool(from_logits)
        wide = keras.backend.result_type(self.dtype, "float32")
        # Of each bin: the weight of correct samples less the confidence of all.
        self.gaps = self.add_variable((self.bins,), "zeros", dtype=wide, name="gaps")
        self.total = self.add_variable((), "zeros", dtype=wide, name="total")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Adds samples to the bins of their confidence."""
        probabilities = self._probabilities(ops.cast(y_pred, self.gaps.dtype))
        confidence = ops.max(probabilities, axis=-1)
        labels = class_labels(y_true, probabilities.shape[-1], len(confidence.shape))
        predicted = ops.cast(ops.argmax(probabilities, axis=-1), "int32")
        weights = sample_weights(confidence, y_pred, sample_weight)
        gaps = weights * (ops.cast(ops.equal(labels, predicted), confidence.dtype) - confidence)
        bins = ops.cast(ops.ceil(confidence * self.bins), "int32") - 1
        bins = ops.clip(bins, 0, self.bins - 1)
        self.gaps.assign_add(
            ops.segment_sum(ops.reshape(gaps, (-1,)), ops.reshape(bins, (-1,)), self.bins)
        )
        self.total.assign_add(ops.sum(weights))

    def result(self):
        """Returns the error over all samples so far."""
        error = ops.divide_no_nan(ops.sum(ops.abs(self.gaps)), self.total)
        return ops.cast(error, self.dtype)

    def get_config(self):
        """Returns the constructor's arguments."""
        own = {"bins": self.bins, "from_logits": self.from_logits}
        return {**super().get_config(), **own}

    def _probabilities(self, y_pred):
        if len(y_pred.shape) == 1:
            y_pred = ops.expand_dims(y_pred, -1)
        if y_pred.shape[-1] == 1:
            other = ops.zeros_like(y_pred) if self.from_logits else 1 - y_pred
            y_pred = ops.concatenate([other, y_pred], axis=-1)
        return ops.softmax(y_pred, axis=-1) if self.from_logits else y_pred
