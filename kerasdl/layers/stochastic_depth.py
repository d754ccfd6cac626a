"""The layer that skips a residual branch at random."""

from typing import ClassVar

import keras
from keras import ops

from kerasdl.layers import arguments
from kerasdl.registry import register


@register
class StochasticDepth(keras.layers.Layer):
    """Drops its whole input for some rows of the batch, in training.

    ```
    training:  y = x * b / (1 - rate),  b ~ Bernoulli(1 - rate), one draw per row
    inference: y = x
    ```

    It belongs at the end of a residual branch, before the sum, so that a dropped row takes the
    shortcut alone. The paper scales the branch by `1 - rate` at inference instead of dividing in
    training; the expected output is the same.

    Args:
        rate: Probability of dropping a row, at least 0 and below 1. The paper lets it grow with
            the depth, from 0 to 0.5.
        seed: An integer, or `None` for a random seed.
        **kwargs: `name`, `dtype` and the other arguments of `keras.layers.Layer`.

    Input shape:
        Any; the first axis counts the rows.

    Output shape:
        The input's.

    Raises:
        ValueError: `rate` is not in [0, 1).

    Example:
        >>> branch = keras.Sequential([keras.layers.Dense(64), StochasticDepth(0.2)])
        >>> y = Residual(branch)(x)

    Source:
        Huang, Sun, Liu, Sedra, Weinberger: Deep networks with stochastic depth, 2016
        (arXiv 1603.09382).
    """

    search_space: ClassVar = {"rate": {"min_value": 0.0, "max_value": 0.5}}

    def __init__(self, rate=0.1, seed=None, **kwargs):
        super().__init__(**kwargs)
        remedy = "Use 0.1 to drop every tenth row."
        self.rate = arguments.number("StochasticDepth", "rate", rate, remedy, at_least=0, below=1)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def call(self, inputs, training=None):
        """Returns the inputs, in training with rows dropped and the others scaled up."""
        if not training or self.rate == 0:
            return inputs
        shape = (ops.shape(inputs)[0],) + (1,) * (len(inputs.shape) - 1)
        draws = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)
        return ops.where(draws < self.rate, ops.zeros_like(inputs), inputs / (1 - self.rate))

    def compute_output_shape(self, input_shape):
        """Returns the input's shape."""
        return input_shape

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
