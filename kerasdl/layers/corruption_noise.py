"""Noise that spoils inputs in training."""

from typing import ClassVar

import keras
from keras import ops

from kerasdl.layers import arguments
from kerasdl.registry import register

KINDS = ("gaussian", "mask", "salt_and_pepper")


@register
class CorruptionNoise(keras.layers.Layer):
    """Spoils its input in training: the corruption of a denoising autoencoder.

    ```
    gaussian:        y = x + amount * n,  n ~ N(0, 1)
    mask:            y = 0 with probability amount, else x
    salt_and_pepper: y = low or high, evenly, with probability amount, else x
    ```

    Every element is drawn for itself, and nothing is scaled up for what was lost: the network after
    it is to restore it. At inference the input passes unchanged. (`keras.layers.GaussianNoise`
    refuses standard deviations above 1, `keras.layers.Dropout` scales.)

    Args:
        kind: `"gaussian"`, `"mask"` or `"salt_and_pepper"`.
        amount: Standard deviation of the Gaussian noise, any number of at least 0; for the other
            kinds the probability of spoiling an element, from 0 to 1.
        low: The value of pepper; unused by the other kinds.
        high: The value of salt; unused by the other kinds.
        seed: An integer, or `None` for a random seed.
        **kwargs: `name`, `dtype` and the other arguments of `keras.layers.Layer`.

    Input shape:
        Any.

    Output shape:
        The input's.

    Raises:
        ValueError: `kind` is none of the three, `amount` is out of its range, or `low` or `high`
            is not a finite number.

    Example:
        >>> code = encoder(CorruptionNoise("mask", 0.25)(x))

    Source:
        Vincent, Larochelle, Lajoie, Bengio, Manzagol: Stacked denoising autoencoders, 2010,
        section 3.3.
    """

    other_settings: ClassVar[dict] = {"kind": "salt_and_pepper"}
    search_space: ClassVar = {
        "kind": list(KINDS),
        "amount": {"min_value": 0.01, "max_value": 0.5, "sampling": "log"},
    }

    def __init__(self, kind="gaussian", amount=0.1, low=0.0, high=1.0, *, seed=None, **kwargs):
        super().__init__(**kwargs)
        name = "CorruptionNoise"
        self.kind = arguments.choice(name, "kind", kind, KINDS)
        self.amount = arguments.number(name, "amount", amount, "Use 0.1.", at_least=0)
        if kind != "gaussian" and self.amount > 1:
            raise ValueError(
                f"CorruptionNoise(kind={kind!r}, amount={amount!r}): amount is a probability here "
                "and must be at most 1. Only Gaussian noise may be larger."
            )
        self.low = arguments.number(name, "low", low, "Give the smallest value of the data.")
        self.high = arguments.number(name, "high", high, "Give the largest value of the data.")
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def call(self, inputs, training=None):
        """Returns the inputs, spoilt in training."""
        inputs = ops.cast(inputs, self.compute_dtype)
        if not training or self.amount == 0:
            return inputs
        shape = ops.shape(inputs)
        if self.kind == "gaussian":
            noise = keras.random.normal(shape, dtype=inputs.dtype, seed=self.seed_generator)
            return inputs + self.amount * noise
        draws = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)
        spoilt = draws < self.amount
        if self.kind == "mask":
            return ops.where(spoilt, ops.zeros_like(inputs), inputs)
        # Of the draws that spoil an element, the lower half are pepper.
        pepper = draws < self.amount / 2
        values = ops.where(pepper, self.low, self.high)
        return ops.where(spoilt, ops.cast(values, inputs.dtype), inputs)

    def compute_output_shape(self, input_shape):
        """Returns the input's shape."""
        return input_shape

    def get_config(self):
        """Returns the constructor's arguments."""
        own = {name: getattr(self, name) for name in ("kind", "amount", "low", "high", "seed")}
        return {**super().get_config(), **own}
