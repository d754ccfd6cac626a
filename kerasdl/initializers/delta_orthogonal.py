"""Convolution kernels that keep lengths."""

import math
import numbers

import keras
from keras import ops

from kerasdl.registry import register


@register
class DeltaOrthogonal(keras.initializers.Orthogonal):
    """Convolution kernels that are orthogonal at their centre and zero elsewhere.

    At stride 1 and with `padding="same"` such a convolution multiplies the length of every input by
    `gain` exactly, and networks of thousands of layers keep their signal. The spatial mixing has to
    be learned. In a kernel of even size the centre is the entry that `"same"` aligns with the
    output, `(size - 1) // 2`.

    Several channels in one group are assumed: a kernel for `groups > 1` comes out orthogonal as a
    whole, not group by group. As in Keras, with an integer seed or none, an instance returns the
    same values at every call.

    Args:
        gain: Factor of the lengths, positive; sqrt(2) before `relu`.
        seed: An integer, a `keras.random.SeedGenerator` or `None`.

    Raises:
        ValueError: `gain` is not positive and finite, Keras refuses `seed`, or, when called, the
            shape is not that of a convolution kernel `(..., channels, filters)` of rank 3 to 5 with
            at least as many filters as channels.

    Example:
        >>> keras.layers.Conv2D(64, 3, padding="same", kernel_initializer=DeltaOrthogonal())

    Source:
        Xiao, Bahri, Sohl-Dickstein, Schoenholz, Pennington: Dynamical isometry and a mean field
        theory of CNNs, 2018 (arXiv 1806.05393), algorithm 1.
    """

    def __init__(self, gain=1.0, seed=None):
        if not (isinstance(gain, numbers.Real) and 0 < gain < math.inf):
            raise ValueError(
                f"DeltaOrthogonal(gain={gain!r}): gain must be a positive finite number. Use 1.0 "
                "to keep lengths."
            )
        super().__init__(gain=float(gain), seed=seed)

    def __call__(self, shape, dtype=None):
        """Returns a kernel of the shape, `(..., channels, filters)`."""
        *sizes, channels, filters = _kernel_shape(shape)
        dtype = keras.backend.standardize_dtype(dtype)
        matrix = super().__call__((channels, filters), keras.backend.result_type(dtype, "float32"))
        matrix = ops.reshape(matrix, (1,) * len(sizes) + (channels, filters))
        margins = [((size - 1) // 2, size // 2) for size in sizes]
        return ops.cast(ops.pad(matrix, [*margins, (0, 0), (0, 0)]), dtype)


def _kernel_shape(shape):
    if not 3 <= len(shape) <= 5:
        raise ValueError(
            f"DeltaOrthogonal makes convolution kernels of rank 3 to 5, not of shape "
            f"{tuple(shape)}. Use keras.initializers.Orthogonal for a matrix."
        )
    if shape[-1] < shape[-2]:
        raise ValueError(
            f"DeltaOrthogonal cannot make a kernel of shape {tuple(shape)}: with fewer filters "
            f"({shape[-1]}) than channels ({shape[-2]}) no convolution keeps lengths. "
            "Use keras.initializers.Orthogonal for this layer."
        )
    return shape
