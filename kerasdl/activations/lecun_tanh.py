"""The scaled hyperbolic tangent of "Efficient BackProp"."""

from keras import ops

from kerasdl.registry import register


@register
def lecun_tanh(x):
    """Hyperbolic tangent scaled so that it passes through (1, 1) and (-1, -1).

    ```
    lecun_tanh(x) = 1.7159 tanh(2 x / 3)
    ```

    Targets of -1 and 1 lie where its curvature is largest (at |x| = 0.988, which the paper rounds
    to 1), not in the saturated tails; the slope at 0 is 1.144. Weights of variance `1 / fan_in`
    keep the variance of its outputs near 1:
    `kernel_initializer=GainInitializer("kerasdl>lecun_tanh")`.

    Args:
        x: A tensor of any shape.

    Returns:
        A tensor of the shape of `x` with values in (-1.7159, 1.7159).

    Example:
        >>> keras.layers.Dense(8, activation="kerasdl>lecun_tanh")

    Source:
        LeCun, Bottou, Orr, Mueller: Efficient BackProp, 1998.
    """
    return 1.7159 * ops.tanh(ops.multiply(x, 2 / 3))
