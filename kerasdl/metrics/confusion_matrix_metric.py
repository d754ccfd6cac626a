"""What metrics of the confusion matrix have in common."""

import math
import numbers

import keras
from keras import ops

from kerasdl.metrics.class_labels import class_labels
from kerasdl.metrics.sample_weights import sample_weights


class ConfusionMatrixMetric(keras.metrics.Metric):
    """A metric that is a function of the confusion matrix of all samples so far.

    Subclasses define `result`, from `shares()`. Weights are summed in float32 at least, in which a
    cell counts up to 2**24 samples exactly.
    """

    _direction = "up"  # what callbacks with mode="auto" read

    def __init__(self, num_classes, threshold, name, dtype):
        super().__init__(name=name, dtype=dtype)
        owner = type(self).__name__
        if not (isinstance(num_classes, numbers.Integral) and num_classes >= 2):
            raise ValueError(
                f"{owner}(num_classes={num_classes!r}): num_classes must be an integer of at "
                "least 2. Give the number of columns of the predictions; 2 if there is only one."
            )
        if not (isinstance(threshold, numbers.Real) and math.isfinite(threshold)):
            raise ValueError(
                f"{owner}(threshold={threshold!r}): threshold must be a finite number. "
                "Use 0.5 for probabilities, 0 for logits."
            )
        self.num_classes = int(num_classes)
        self.threshold = float(threshold)
        self.confusion = self.add_variable(
            shape=(self.num_classes, self.num_classes),
            initializer="zeros",
            dtype=keras.backend.result_type(self.dtype, "float32"),
            name="confusion",
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Counts samples; labels outside `0 ... num_classes - 1` are left out."""
        predicted = self._decided(ops.convert_to_tensor(y_pred))
        labels = class_labels(y_true, self.num_classes, len(predicted.shape))
        known = ops.logical_and(self._known(labels), self._known(predicted))
        counted = ops.cast(known, self.confusion.dtype)
        weights = counted * sample_weights(counted, y_pred, sample_weight)
        cells = ops.where(known, labels * self.num_classes + predicted, 0)
        counts = ops.segment_sum(
            ops.reshape(weights, (-1,)), ops.reshape(cells, (-1,)), self.num_classes**2
        )
        self.confusion.assign_add(ops.reshape(counts, self.confusion.shape))

    def shares(self):
        """Returns the confusion matrix divided by its sum: rows are true, columns predicted."""
        confusion = ops.convert_to_tensor(self.confusion)
        return ops.divide_no_nan(confusion, ops.sum(confusion))

    def get_config(self):
        """Returns the constructor's arguments."""
        own = {"num_classes": self.num_classes, "threshold": self.threshold}
        return {**super().get_config(), **own}

    def _decided(self, y_pred):
        columns = y_pred.shape[-1] if len(y_pred.shape) > 1 else 1
        column = y_pred[..., 0] if len(y_pred.shape) > 1 and columns == 1 else y_pred
        if "int" in keras.backend.standardize_dtype(y_pred.dtype):
            return ops.cast(column, "int32")
        if columns == 1 and self.num_classes == 2:
            return ops.cast(column > self.threshold, "int32")
        if columns != self.num_classes:
            raise ValueError(
                f"{type(self).__name__}(num_classes={self.num_classes}) takes predictions with a "
                f"column per class, but y_pred has the shape {tuple(y_pred.shape)}. Set "
                "num_classes to the length of its last axis."
            )
        return ops.cast(ops.argmax(y_pred, axis=-1), "int32")

    def _known(self, labels):
        return ops.logical_and(labels >= 0, labels < self.num_classes)
