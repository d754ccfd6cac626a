"""Random weights scaled for the activation that follows them."""

import math
import numbers
from typing import ClassVar

import keras

from kerasdl.registry import register


@register
class GainInitializer(keras.initializers.VarianceScaling):
    """Random weights of variance `gain**2 / fan`, with the gain that the next activation needs.

    | activation           | gain                                                             |
    |----------------------|------------------------------------------------------------------|
    | `linear`             | 1                                                                |
    | `sigmoid`            | 1, by convention                                                 |
    | `tanh`               | 5/3, by convention; 1.593 would keep a variance of 1             |
    | `relu`               | sqrt(2), exact                                                   |
    | `leaky_relu`         | sqrt(2 / (1 + negative_slope**2)), exact                         |
    | `selu`               | 1: its fixed point of mean 0 and variance 1 assumes `1 / fan_in` |
    | `kerasdl>lecun_tanh` | 1: its scale is chosen for weights of variance `1 / fan_in`      |

    `activation` is the string that the layer's own `activation` takes: the gain is for what follows
    the weights. The seed behaves as in Keras: with an integer seed or none, an instance returns the
    same values at every call.

    Args:
        activation: A name from the table.
        mode: `"fan_in"` keeps the variance of the activations, `"fan_out"` that of the gradients,
            `"fan_avg"` compromises.
        distribution: `"truncated_normal"`, `"untruncated_normal"` or `"uniform"`; the variance is
            the same.
        seed: An integer, a `keras.random.SeedGenerator` or `None`.
        negative_slope: Slope of `leaky_relu` below 0; unused by the others. Default: that of
            `keras.activations.leaky_relu` (the layer `LeakyReLU` has 0.3).
        input_axes: Axes of the weight that count as inputs, for weights that are neither a matrix
            nor a convolution kernel; `EinsumDense` and attention layers set both by themselves.
        output_axes: Axes that count as outputs.

    Raises:
        ValueError: `activation` is not in the table, `negative_slope` is not finite, or `mode`,
            `distribution` or `seed` is none that Keras knows.

    Example:
        >>> keras.layers.Dense(8, activation="tanh", kernel_initializer=GainInitializer("tanh"))

    Source:
        He, Zhang, Ren, Sun: Delving deep into rectifiers, 2015 (arXiv 1502.01852). Klambauer,
        Unterthiner, Mayr, Hochreiter: Self-normalizing neural networks, 2017 (arXiv 1706.02515).
        LeCun, Bottou, Orr, Mueller: Efficient BackProp, 1998. The conventions are those of
        `torch.nn.init.calculate_gain`, whose 3/4 for `selu` gives up the fixed point.
    """

    search_space: ClassVar = {
        "mode": ["fan_in", "fan_avg", "fan_out"],
        "distribution": ["truncated_normal", "uniform"],
    }

    def __init__(
        self,
        activation="relu",
        mode="fan_in",
        distribution="truncated_normal",
        seed=None,
        *,
        negative_slope=0.2,
        input_axes=None,
        output_axes=None,
    ):
        self.activation = activation
        self.negative_slope = negative_slope
        self.gain = _gain(activation, negative_slope)
        super().__init__(self.gain**2, mode, distribution, seed, input_axes, output_axes)

    def get_config(self):
        """Returns the constructor's arguments."""
        config = super().get_config()
        del config["scale"]  # follows from the activation
        own = {"activation": self.activation, "negative_slope": self.negative_slope}
        return {**config, **own}


def _gain(activation, negative_slope):
    if not (isinstance(negative_slope, numbers.Real) and math.isfinite(negative_slope)):
        raise ValueError(
            f"GainInitializer(negative_slope={negative_slope!r}): the slope must be a finite "
            "number. Give the slope of the leaky_relu, such as 0.2."
        )
    gains = {
        "linear": 1.0,
        "sigmoid": 1.0,
        "tanh": 5 / 3,
        "relu": math.sqrt(2),
        "leaky_relu": math.sqrt(2 / (1 + negative_slope**2)),
        "selu": 1.0,
        "kerasdl>lecun_tanh": 1.0,
    }
    if activation not in gains:
        table = ", ".join(f"{name!r} ({gain:.4g})" for name, gain in gains.items())
        raise ValueError(
            f"GainInitializer(activation={activation!r}): no gain is known for it. Known: {table}. "
            "For another gain use keras.initializers.VarianceScaling(scale=gain**2)."
        )
    return gains[activation]
