"""Normal noise that is the same on every backend, made within a compiled function.

Of random numbers drawn in NumPy, an ascent of images would have to carry an image per row and step.
"""

import math

import numpy as np
from keras import ops

_BITS = 24  # as many as a float32 holds exactly


def normal_noise(seeds, shape):
    """Returns noise of a standard normal distribution, `(rows, *shape)`, in float32.

    Each element is a hash of its place and the row's seeds, turned normal in pairs by Box and
    Muller's formula. No value is beyond 5.8.

    Args:
        seeds: Two ints below 2^31 for each row, int32 `(rows, 2)`.
        shape: The shape of a row.

    Source: Appleby 2011, MurmurHash3, the 32-bit finalizer; Box & Muller 1958, A note on the
    generation of random normal deviates (Ann. Math. Stat. 29).
    """
    places = ops.arange(math.prod(shape), dtype="int32")
    first = _hashed(ops.bitwise_xor(_hashed(places), seeds[:, :1]))
    bits = _hashed(ops.bitwise_xor(first, seeds[:, 1:]))
    radius = ops.sqrt(-2 * ops.log(_uniform(bits)))
    angle = 2 * math.pi * _uniform(_hashed(bits))
    return ops.reshape(radius * ops.cos(angle), (-1, *shape))


def _hashed(x):
    """Returns the finalizer of each int32, which wraps around as an unsigned number does."""
    x = ops.bitwise_xor(x, _shifted(x, 16)) * _signed(0x85EBCA6B)
    x = ops.bitwise_xor(x, _shifted(x, 13)) * _signed(0xC2B2AE35)
    return ops.bitwise_xor(x, _shifted(x, 16))


def _shifted(x, bits):
    """Returns int32 shifted to the right with zeros shifted in, not copies of the sign."""
    return ops.bitwise_and(ops.bitwise_right_shift(x, bits), (1 << (32 - bits)) - 1)


def _signed(number):
    return int(np.uint32(number).astype("int32"))


def _uniform(bits):
    """Returns float32 above 0 and up to 1."""
    lowest = ops.bitwise_and(bits, (1 << _BITS) - 1)
    return (ops.cast(lowest, "float32") + 1) / (1 << _BITS)
