"""The small denoising autoencoder that `Denoiser.fit` trains."""

import keras
import numpy as np
from keras import layers

_UNITS = 128  # of the dense layers
_NO_DILATIONS = (None, None)
_FILTERS = 32
_DILATIONS = (1, 2, 4)  # with kernels of 3, the last one included, a pixel is restored from 17 x 17
_BATCH = 128
_RATE = 2e-3  # of Adam at the start; it falls to 0 as a cosine


def train(rows, sigma, epochs, seed):
    """Returns a Keras model of rows with noise to the mean of the rows without it.

    Dense layers for vectors, convolutions for images. The layers learn the noise in units of
    `sigma`, and the model subtracts it: for small noise that is better conditioned than to learn
    the rows, and at the optimum the same.

    Args:
        rows: `(rows, features)` or `(rows, height, width, channels)`.
        sigma: The standard deviation of the noise, in the units of the rows.
        epochs: How often each row is seen, each time with other noise.
        seed: Of the weights, the order and the noise; no global random state is touched.
    """
    random = np.random.default_rng([seed, 2])  # another stream than that of the split
    rows = rows.astype("float32")
    noise_of = _noise_model(rows, sigma, random)
    batches = -(-len(rows) // _BATCH)
    rate = keras.optimizers.schedules.CosineDecay(_RATE, epochs * batches)
    noise_of.compile(optimizer=keras.optimizers.Adam(rate), loss="mse")
    for _ in range(epochs):
        # Resized, for a last batch of another size would compile anew.
        order = np.resize(random.permutation(len(rows)), (batches, _BATCH))
        for chosen in order:
            noise = random.standard_normal((_BATCH, *rows.shape[1:])).astype("float32")
            noise_of.train_on_batch(rows[chosen] + np.float32(sigma) * noise, noise)
    subtracted = layers.Rescaling(-sigma, dtype="float32")(noise_of.outputs[0])
    restored = layers.Add(dtype="float32")([noise_of.inputs[0], subtracted])
    return keras.Model(noise_of.inputs[0], restored, name="denoiser")


def _noise_model(rows, sigma, random):
    """Returns an untrained model of rows with noise to the noise in units of `sigma`."""
    dilations = _DILATIONS if rows.ndim == 4 else _NO_DILATIONS
    axes = tuple(range(rows.ndim - 1))
    x = keras.Input(rows.shape[1:], name="with_noise")
    normalized = layers.Normalization(
        mean=rows.mean(axis=axes), variance=rows.var(axis=axes) + sigma**2, dtype="float32"
    )(x)
    hidden = normalized
    for dilation in dilations:
        hidden = _layer(_UNITS if dilation is None else _FILTERS, dilation, "swish", random)(hidden)
    # The rows themselves too: the noise in a normal density is linear in them.
    every = layers.Concatenate(dtype="float32")([normalized, hidden])
    return keras.Model(x, _layer(rows.shape[-1], dilations[0], None, random)(every))


def _layer(units, dilation, activation, random):
    """Returns a dense layer, or a convolution where a dilation is given."""
    settings = {
        "activation": activation,
        "kernel_initializer": keras.initializers.GlorotUniform(int(random.integers(2**31))),
        "dtype": "float32",
    }
    if dilation is None:
        return layers.Dense(units, **settings)
    return layers.Conv2D(units, 3, padding="same", dilation_rate=dilation, **settings)
