"""The layer that keeps the largest activations alone."""

from typing import ClassVar

import keras
import numpy as np
from keras import ops

from kerasdl.layers import arguments
from kerasdl.registry import register


@register
class KSparse(keras.layers.Layer):
    """Keeps the k largest activations of each vector and sets all others to 0.

    ```
    y_i = x_i if x_i is among the k largest of x, else 0
    ```

    Largest means by value, as in the paper, not by magnitude. Exactly k are kept: of equal ones,
    those of the lowest index. Gradients flow through those kept alone.

    Args:
        k: Number of activations to keep, at least 1 and at most the number of features.
        inference_k: Number to keep at inference. The paper keeps somewhat more there than in
            training (`alpha * k` with `alpha >= 1`), which improved its classifiers. Default: `k`.
        **kwargs: `name`, `dtype` and the other arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, ..., features)`; `features` must be known.

    Output shape:
        The input's.

    Raises:
        ValueError: `k` or `inference_k` is not a positive integer; at the first call: there are
            fewer features than are to be kept, or their number is unknown.

    Example:
        >>> code = KSparse(25, inference_k=75)(keras.layers.Dense(1000)(x))

    Source:
        Makhzani, Frey: k-sparse autoencoders, 2014 (arXiv 1312.5663), section 2.1.
    """

    other_settings: ClassVar[dict] = {"k": 3, "inference_k": 4}

    @classmethod
    def example(cls):
        """Returns a layer that keeps two activations."""
        return cls(2)

    @classmethod
    def example_inputs(cls):
        """Returns vectors of more features than are kept."""
        return np.random.default_rng(0).normal(size=(3, 6)).astype("float32")

    def __init__(self, k, inference_k=None, **kwargs):
        super().__init__(**kwargs)
        remedy = "Give the number of activations to keep, such as 25."
        self.k = arguments.integer("KSparse", "k", k, remedy, at_least=1)
        self.inference_k = inference_k
        if inference_k is not None:
            self.inference_k = arguments.integer(
                "KSparse", "inference_k", inference_k, remedy, at_least=1
            )
        self.supports_masking = True

    def build(self, input_shape):
        """Refuses vectors of too few features."""
        most = max(self.k, self.inference_k or 0)
        if input_shape[-1] is None or input_shape[-1] < most:
            raise ValueError(
                f"KSparse(k={self.k}, inference_k={self.inference_k}) got an input of shape "
                f"{tuple(input_shape)}, but needs a known number of at least {most} features. "
                "Keep fewer, or widen the layer before."
            )

    def call(self, inputs, training=None):
        """Returns the inputs with all but the largest activations set to 0."""
        k = self.k if training or self.inference_k is None else self.inference_k
        kept = _largest(ops.stop_gradient(inputs), k)
        return ops.where(kept, inputs, ops.zeros_like(inputs))

    def compute_output_shape(self, input_shape):
        """Returns the input's shape."""
        return input_shape

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "k": self.k, "inference_k": self.inference_k}


def _largest(x, k):
    """Whether each element is among the k largest of the last axis, the first of equal ones."""
    least = ops.min(ops.top_k(x, k)[0], axis=-1, keepdims=True)
    above = x > least
    equal = x == least
    room = k - ops.sum(ops.cast(above, "int32"), axis=-1, keepdims=True)
    turn = ops.cumsum(ops.cast(equal, "int32"), axis=-1)
    return ops.logical_or(above, ops.logical_and(equal, turn <= room))
