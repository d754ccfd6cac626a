"""What losses that compare predictions and targets element by element have in common."""

import keras
from keras import ops

from kerasdl.losses.precision import at_least_float32


class ElementwiseLoss(keras.losses.Loss):
    """A loss that is the mean over the last axis of a function of each element.

    Subclasses define `elementwise`. Three things differ from the Keras base class: the `dtype`
    survives saving, a 16-bit dtype rounds only before and after (`elementwise` gets float32), and
    targets that do not fit the predictions are refused instead of broadcast (labels `(batch,)`
    against predictions `(batch, 1)` would silently give `(batch, batch)`).
    """

    def elementwise(self, y_true, y_pred):
        """Returns the loss of each element; all three have the same shape and dtype."""
        raise NotImplementedError(f"{type(self).__name__} must define elementwise(y_true, y_pred).")

    def call(self, y_true, y_pred):
        """Returns the loss of each sample: `(batch, d0, ..., dN)` gives `(batch, d0, ..., dN-1)`.

        An axis of length 1 at the end may be missing; without any axis but the batch, each element
        is a sample.

        Raises:
            ValueError: The shapes do not fit.
        """
        y_true, y_pred = map(at_least_float32, self._paired(y_true, y_pred))
        return ops.mean(self.elementwise(y_true, y_pred), axis=-1)

    def get_config(self):
        """Returns the constructor's arguments, `dtype` included."""
        return {**super().get_config(), "dtype": self.dtype}

    def _paired(self, y_true, y_pred):
        shapes = tuple(y_true.shape), tuple(y_pred.shape)
        rank = max(2, *map(len, shapes))
        y_true, y_pred = (_with_rank(tensor, rank) for tensor in (y_true, y_pred))
        if not _fit(y_true.shape, y_pred.shape):
            raise ValueError(
                f"{type(self).__name__} compares element by element, but y_true has the shape "
                f"{shapes[0]} and y_pred {shapes[1]}. Give targets of the predictions' shape; "
                "only an axis of length 1 at the end may be missing."
            )
        return y_true, y_pred


def _with_rank(tensor, rank):
    return ops.expand_dims(tensor, -1) if len(tensor.shape) == rank - 1 else tensor


def _fit(shape, other):
    return len(shape) == len(other) and all(
        size == other_size or None in (size, other_size)
        for size, other_size in zip(shape, other, strict=True)
    )
