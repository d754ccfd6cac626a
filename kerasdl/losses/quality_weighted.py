"""A loss weighted by the quality of each label."""

import keras
import numpy as np
from keras import ops

from kerasdl.registry import register


@register
class QualityWeighted(keras.losses.Loss):
    """Another loss, weighted by how far each label can be trusted.

    ```
    labels, quality = y_true[..., :-1], y_true[..., -1]
    weighted = quality * loss(labels, y_pred)
    ```

    The last column of `y_true` is the quality of the label: 1 for a certain one, 0 for one that
    shall not count. It does what `sample_weight` does, but travels with the labels, through data
    sets, generators and losses of several outputs that have no place for weights. The mean over the
    batch divides by the number of samples, not by the sum of qualities. Metrics that are to see the
    labels alone need them split off, too.

    Args:
        loss: A `keras.losses.Loss`. Its `call` is weighted; its own reduction is not used, and its
            integer labels become floating-point numbers of the dtype.
        reduction: How the weighted losses are combined; see `keras.losses.Loss`.
        name: Name of the instance.
        dtype: Dtype of the computation. Default: that of `loss`.

    Input shape:
        `y_true`: `(batch, ..., k + 1)` where `loss` takes labels `(batch, ..., k)`; with `k = 1`
        for integer labels. `y_pred`: what `loss` takes.

    Raises:
        TypeError: `loss` is no `keras.losses.Loss`.
        ValueError: When called, if `y_true` has no column besides the quality.

    Example:
        >>> y = np.column_stack([labels, quality])
        >>> model.compile(loss=QualityWeighted(keras.losses.SparseCategoricalCrossentropy()))

    Source:
        The founding notes.
    """

    @classmethod
    def example(cls):
        """Returns the weighted squared error."""
        return cls(keras.losses.MeanSquaredError())

    @classmethod
    def example_inputs(cls):
        """Returns two labels with their qualities, and the predictions."""
        return np.array([[0.5, 1.0], [-1.0, 0.3]]), np.array([[0.2], [0.4]])

    def __init__(self, loss, reduction="sum_over_batch_size", name="quality_weighted", dtype=None):
        if not isinstance(loss, keras.losses.Loss):
            raise TypeError(
                f"QualityWeighted(loss={loss!r}): loss must be an instance of keras.losses.Loss, "
                "such as keras.losses.MeanSquaredError()."
            )
        super().__init__(name=name, reduction=reduction, dtype=dtype or loss.dtype)
        self.loss = loss

    def call(self, y_true, y_pred):
        """Returns the weighted loss of each sample.

        Raises:
            ValueError: `y_true` has no column besides the quality.
        """
        if len(y_true.shape) < 2 or y_true.shape[-1] == 1:
            raise ValueError(
                "QualityWeighted takes the last column of y_true as the quality of the labels "
                f"before it, but y_true has the shape {tuple(y_true.shape)}. Append a column, for "
                "example with numpy.column_stack([labels, quality])."
            )
        losses = self.loss.call(y_true[..., :-1], y_pred)
        quality = ops.cast(y_true[..., -1], losses.dtype)
        for _ in range(len(losses.shape) - len(quality.shape)):
            quality = ops.expand_dims(quality, -1)
        return quality * losses

    def get_config(self):
        """Returns the constructor's arguments, `dtype` included."""
        loss = keras.saving.serialize_keras_object(self.loss)
        return {**super().get_config(), "loss": loss, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config):
        """Returns the loss that `get_config` describes."""
        loss = keras.saving.deserialize_keras_object(config["loss"])
        return cls(**{**config, "loss": loss})
