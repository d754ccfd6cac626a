"""Weights of samples from sample weights and masks."""

from keras import ops
from keras.src.backend import get_keras_mask


def sample_weights(samples, y_pred, sample_weight=None):
    """Returns the weight of each sample, 0 where a layer's mask says that there is none.

    Args:
        samples: Floating-point tensor with one element per sample; the result has its shape and
            dtype.
        y_pred: The predictions, which may carry a Keras mask.
        sample_weight: Weights that may lack axes of `samples` at the end, or have one of length 1
            too many.

    Raises:
        ValueError: `sample_weight` has more axes than there are.
    """
    weights = ops.ones_like(samples)
    for factor in (sample_weight, get_keras_mask(y_pred)):
        if factor is not None:
            weights = weights * _aligned(ops.cast(factor, samples.dtype), len(samples.shape))
    return weights


def _aligned(weights, rank):
    if len(weights.shape) == rank + 1 and weights.shape[-1] == 1:
        return ops.squeeze(weights, axis=-1)
    if len(weights.shape) > rank:
        raise ValueError(
            f"sample_weight has the shape {tuple(weights.shape)}, but the samples have only "
            f"{rank} axes, the batch included. Give one weight per sample."
        )
    for _ in range(rank - len(weights.shape)):
        weights = ops.expand_dims(weights, -1)
    return weights
