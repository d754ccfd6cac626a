"""What losses that compare the samples of a batch with each other have in common."""

from typing import ClassVar

import keras
from keras import ops

from kerasdl.losses.precision import at_least_float32


class BatchwiseLoss(keras.losses.Loss):
    """A loss of embeddings `(batch, features)` that knows which samples are of the same class.

    Subclasses define `sample_losses`. Labels are `(batch,)` or `(batch, 1)`; of labels
    `(batch, columns)`, one-hot ones for example, all columns must be equal. Integer labels are told
    apart whatever their size, although Keras casts targets to a floating-point dtype.
    """

    rows_interact: ClassVar[bool] = True

    def __call__(self, y_true, y_pred, sample_weight=None):
        """Returns the reduced loss; integer labels are taken exactly."""
        return super().__call__(_digits(ops.convert_to_tensor(y_true)), y_pred, sample_weight)

    def sample_losses(self, same, embeddings):
        """Returns the loss of each sample.

        Args:
            same: Boolean tensor `(batch, batch)`: whether two samples have the same label.
            embeddings: Tensor `(batch, features)` of at least float32.
        """
        raise NotImplementedError(f"{type(self).__name__} must define sample_losses.")

    def call(self, y_true, y_pred):
        """Returns the loss of each sample.

        Raises:
            ValueError: The shapes do not fit.
        """
        if len(y_pred.shape) != 2 or len(y_true.shape) not in (1, 2):
            raise ValueError(
                f"{type(self).__name__} compares embeddings (batch, features) with labels (batch,),"
                f" but y_true has the shape {tuple(y_true.shape)} and y_pred {tuple(y_pred.shape)}."
                " Flatten what comes before the loss, and give one label per sample."
            )
        return self.sample_losses(_same(y_true), at_least_float32(y_pred))

    def get_config(self):
        """Returns the constructor's arguments, `dtype` included."""
        return {**super().get_config(), "dtype": self.dtype}


def others(same):
    """Returns, in the shape of `same`, False on the diagonal and True elsewhere."""
    return ops.logical_not(ops.eye(ops.shape(same)[0], dtype="bool"))


def _digits(labels):
    """Integers as columns of digits, small enough to be exact in bfloat16; others as they are."""
    if "int" not in keras.backend.standardize_dtype(labels.dtype) or not labels.shape:
        return labels
    labels = ops.expand_dims(labels, -1) if len(labels.shape) == 1 else labels
    columns = []
    for _ in range(10):  # 10 digits of 6 bits leave a sign and 3 bits of 64
        columns.append(labels % 64)
        labels = labels // 64  # ops.floor_divide makes int32 of int64 on torch
    return ops.concatenate([*columns, labels], axis=-1)


def _same(labels):
    labels = ops.expand_dims(labels, -1) if len(labels.shape) == 1 else labels
    return ops.all(ops.equal(ops.expand_dims(labels, 1), ops.expand_dims(labels, 0)), axis=-1)
