"""The step function, trainable."""

import keras
from keras import ops

from kerasdl.registry import register


@register
def heaviside(x):
    """The step function with a straight-through gradient.

    ```
    forward:  heaviside(x) = 1 for x >= 0, otherwise 0
    backward: dL/dx = dL/dy for |x| <= 1, otherwise 0
    ```

    The true gradient is 0 everywhere and trains nothing. Passing the gradient through as if the
    step were the identity (Hinton; Bengio et al., who found it the best of theirs) does train, but
    units far from the threshold get gradients they cannot answer: cancelling these, as the
    derivative of a clipped identity does, worked better in binary networks, and of the two only the
    clipped one is shown to point downhill and to be stable at minima (Yin et al., for a network of
    two layers). Hence the clipped one. At 0 the unit is on, as in the binary networks (and unlike
    `keras.ops.sign`).

    Args:
        x: A tensor of any shape.

    Returns:
        A tensor of the shape of `x`; integers become the default float type.

    Example:
        >>> keras.layers.Dense(8, activation="kerasdl>heaviside")

    Source:
        Bengio, Léonard, Courville: Estimating or propagating gradients through stochastic neurons,
        2013 (arXiv 1308.3432). Courbariaux, Hubara, Soudry, El-Yaniv, Bengio: Binarized neural
        networks, 2016 (arXiv 1602.02830), equation 4. Yin et al.: Understanding straight-through
        estimator in training activation quantized neural nets, 2019 (arXiv 1903.05662).
    """
    x = ops.convert_to_tensor(x)
    if not keras.backend.is_float_dtype(x.dtype):
        x = ops.cast(x, keras.config.floatx())
    step = ops.cast(x >= 0, x.dtype)
    # The gradient flows through a zero; the where comes first, since infinity minus itself is NaN.
    near = ops.where(ops.abs(x) <= 1, x, ops.zeros_like(x))
    return step + (near - ops.stop_gradient(near))


heaviside.surrogate_gradient = True
