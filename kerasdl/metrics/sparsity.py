"""The share of an output that is zero."""

import math
import numbers

import keras
from keras import ops

from kerasdl.metrics.sample_weights import sample_weights
from kerasdl.registry import register


@register
class Sparsity(keras.metrics.Metric):
    """Share of the elements of `y_pred` that are zero, or as small as zero.

    ```
    share = mean(|y_pred| <= threshold)
    ```

    It is for codes and activations: let the model have the layer as one of its outputs and give
    the metric to that output, or update it by hand. `y_true` is not used and may be `None`. Exact
    zeros come from ReLU, from top-k or from soft thresholds; after other activations set
    `threshold`. It is 0 before the first sample.

    Args:
        threshold: Largest absolute value that counts as zero, at least 0.
        name: Name of the instance.
        dtype: Dtype of the result. Default: `keras.config.floatx()`. Sums are kept in float32 at
            least.

    Input shape:
        `y_pred`: any. Sample weights and masks are of positions, all axes but the last; of samples
        without further axes, the samples.

    Raises:
        ValueError: `threshold` is negative or not finite, or, when updated, `sample_weight` has
            more axes than there are positions.

    Example:
        >>> sparsity = Sparsity(threshold=1e-3)
        >>> sparsity.update_state(None, encoder.predict(x))
        >>> float(sparsity.result())

    Source:
        The founding notes, whose count lacks the division by the number of elements.
    """

    def __init__(self, threshold=0.0, name="sparsity", dtype=None):
        super().__init__(name=name, dtype=dtype)
        if not (isinstance(threshold, numbers.Real) and 0 <= threshold < math.inf):
            raise ValueError(
                f"Sparsity(threshold={threshold!r}): threshold must be a finite number of at least "
                "0. Use 0 for exact zeros, 1e-3 for activations that only come near."
            )
        self.threshold = float(threshold)
        wide = keras.backend.result_type(self.dtype, "float32")
        self.zeros = self.add_variable((), "zeros", dtype=wide, name="zeros")
        self.total = self.add_variable((), "zeros", dtype=wide, name="total")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Adds the share of each position."""
        del y_true
        values = ops.convert_to_tensor(y_pred)
        small = ops.cast(ops.abs(values) <= self.threshold, self.zeros.dtype)
        share = small if len(small.shape) < 2 else ops.mean(small, axis=-1)
        weights = sample_weights(share, y_pred, sample_weight)
        self.zeros.assign_add(ops.sum(weights * share))
        self.total.assign_add(ops.sum(weights))

    def result(self):
        """Returns the share over all samples so far."""
        return ops.cast(ops.divide_no_nan(self.zeros, self.total), self.dtype)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "threshold": self.threshold}
