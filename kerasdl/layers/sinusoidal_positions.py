"""Sines and cosines that tell positions apart."""

from typing import ClassVar

import keras
import numpy as np
from keras import ops

from kerasdl.layers import arguments
from kerasdl.registry import register


@register
class SinusoidalPositions(keras.layers.Layer):
    """Adds to each vector of a sequence sines and cosines of its position.

    ```
    y[p, 2i]     = x[p, 2i]     + sin(p / max_wavelength**(2i / features))
    y[p, 2i + 1] = x[p, 2i + 1] + cos(p / max_wavelength**(2i / features))
    ```

    An odd number of features ends with a sine. Positions count from 0 along the last axis but one,
    masked ones included: with padding before the sequence, the positions of its content shift. The
    angles are computed in at least float32 and the sum is rounded once. (The paper multiplies its
    embeddings by the root of their size before; this layer does not.)

    Args:
        max_wavelength: Number of at least 1; the wavelengths grow geometrically from `2 pi` towards
            `2 pi * max_wavelength`.
        **kwargs: `name`, `dtype` and the other arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, ..., time, features)`; `features` must be known, `time` need not.

    Output shape:
        The input's.

    Raises:
        ValueError: `max_wavelength` is not a finite number of at least 1; at the first call: the
            input has fewer than three axes, or its number of features is unknown.

    Example:
        >>> y = SinusoidalPositions()(keras.layers.Embedding(1000, 64)(tokens))

    Source:
        Vaswani et al.: Attention is all you need, 2017 (arXiv 1706.03762), section 3.5.
    """

    search_space: ClassVar = {
        "max_wavelength": {"min_value": 100.0, "max_value": 100000.0, "sampling": "log"}
    }

    @classmethod
    def example_inputs(cls):
        """Returns sequences of an odd number of features."""
        return np.random.default_rng(0).normal(size=(2, 4, 5)).astype("float32")

    def __init__(self, max_wavelength=10000.0, **kwargs):
        super().__init__(**kwargs)
        remedy = "Use 10000 as in the paper."
        self.max_wavelength = arguments.number(
            "SinusoidalPositions", "max_wavelength", max_wavelength, remedy, at_least=1
        )
        self.supports_masking = True

    def build(self, input_shape):
        """Refuses what is no sequence of vectors of a known size."""
        if len(input_shape) < 3 or input_shape[-1] is None:
            raise ValueError(
                f"SinusoidalPositions got an input of shape {tuple(input_shape)}, but needs "
                "(batch, ..., time, features) with known features. Embed tokens first."
            )

    def call(self, inputs):
        """Returns the inputs with the positions' sines and cosines added."""
        dtype = keras.backend.result_type(self.compute_dtype, "float32")
        features = inputs.shape[-1]
        column = np.arange(features)
        wave_numbers = self.max_wavelength ** -((column - column % 2) / features)
        positions = ops.cast(ops.arange(ops.shape(inputs)[-2]), dtype)
        angles = ops.expand_dims(positions, -1) * ops.convert_to_tensor(wave_numbers, dtype)
        waves = ops.where(column % 2 == 0, ops.sin(angles), ops.cos(angles))
        return ops.cast(ops.cast(inputs, dtype) + waves, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """Returns the input's shape."""
        return input_shape

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "max_wavelength": self.max_wavelength}
