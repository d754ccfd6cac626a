"""A layer whose kernel cannot stretch beyond a bound."""

from typing import ClassVar

import keras
import numpy as np
from keras import ops

from kerasdl.layers import arguments
from kerasdl.layers.kernel_wrapper import KernelWrapper
from kerasdl.registry import register

ITERATIONS_AT_THE_START = 30


@register
class SpectralNormalization(KernelWrapper):
    """Divides a layer's kernel by its largest singular value where that exceeds a bound.

    ```
    kernel = W / max(1, sigma / max_norm),  sigma = left' W right
    ```

    W is the layer's own kernel variable as a matrix `(inputs, outputs)`, all axes but the last
    taken together. `left` and `right` are its leading singular vectors by power iteration,
    constants to the gradient, which flows through sigma. `left` is computed from `right`, which
    begins after 30 iterations and moves on in training only.

    A kernel within the bound is left alone. (The paper divides always; so does
    `keras.layers.SpectralNormalization`, which also assigns the quotient to the variable, so that
    it inflates small kernels and no gradient flows through sigma.) A `Dense` layer then stretches
    no difference by more than `max_norm`, but for the error of the power iteration. For a
    convolution the bound holds for the matrix; the layer itself may stretch by up to
    `sqrt(kernel height * kernel width)` times more.

    Args:
        layer: A layer with a variable `kernel` or `embeddings`.
        max_norm: The bound, a positive number.
        power_iterations: Steps of the power iteration per call, at least 1.
        seed: An integer, or `None` for a random start of the power iteration.
        **kwargs: `name`, `dtype` (default: the layer's) and the other arguments of
            `keras.layers.Layer`.

    Input shape:
        What the layer takes.

    Output shape:
        What the layer gives.

    Raises:
        ValueError: `layer` is no layer, `max_norm` is not positive, `power_iterations` is no
            positive integer; at the first call: the layer has no kernel.

    Example:
        >>> critic = SpectralNormalization(keras.layers.Dense(64, activation="leaky_relu"))

    Source:
        Miyato, Kataoka, Koyama, Yoshida: Spectral normalization for generative adversarial
        networks, 2018 (arXiv 1802.05957), algorithm 1. Gouk, Frank, Pfahringer, Cree:
        Regularisation of neural networks by enforcing Lipschitz continuity, 2021
        (arXiv 1804.04368), for the maximum.
    """

    search_space: ClassVar = {"max_norm": {"min_value": 0.1, "max_value": 10.0, "sampling": "log"}}
    other_settings: ClassVar[dict] = {"layer": lambda: keras.layers.Dense(3)}

    @classmethod
    def example(cls):
        """Returns a dense layer that the bound changes."""
        return cls(keras.layers.Dense(2), max_norm=0.5, seed=0)

    @classmethod
    def example_inputs(cls):
        """Returns vectors."""
        return np.random.default_rng(0).normal(size=(4, 3)).astype("float32")

    def __init__(self, layer, max_norm=1.0, power_iterations=1, seed=None, **kwargs):
        super().__init__(layer, **kwargs)
        name = "SpectralNormalization"
        self.max_norm = arguments.positive(name, "max_norm", max_norm, "Use 1.")
        self.power_iterations = arguments.integer(
            name, "power_iterations", power_iterations, "Use 1.", at_least=1
        )
        self.seed = seed

    def build(self, input_shape=None):
        """Builds the layer and begins the power iteration."""
        super().build(input_shape)
        self.right = self.add_weight(
            name="right",
            shape=(self.kernel_variable.shape[-1],),
            initializer=self._first_right,
            trainable=False,
            autocast=False,
        )

    def computed_kernel(self, training=None):
        """Returns the kernel within the bound, in at least float32; in training, moves on."""
        kernel = self.raw_kernel()
        matrix = _matrix(kernel)
        constant = ops.stop_gradient(matrix)
        right = ops.cast(self.right, kernel.dtype)
        left, right = _iterate(constant, right, self.power_iterations)
        if training:
            self.right.assign(ops.cast(right, self.right.dtype))
        sigma = ops.sum(ops.matmul(matrix, right) * left)
        return kernel / ops.maximum(sigma / self.max_norm, 1)

    def get_config(self):
        """Returns the constructor's arguments."""
        own = {name: getattr(self, name) for name in ("max_norm", "power_iterations", "seed")}
        return {**super().get_config(), **own}

    def _first_right(self, shape, dtype):
        kernel = self.raw_kernel()
        start = keras.random.normal(shape, dtype=kernel.dtype, seed=self.seed)
        return ops.cast(_iterate(_matrix(kernel), start, ITERATIONS_AT_THE_START)[1], dtype)


def _matrix(kernel):
    return ops.reshape(kernel, (-1, kernel.shape[-1]))


def _iterate(matrix, right, steps):
    """The leading singular vectors after some steps of power iteration, as constants."""
    for _ in range(steps):
        left = _unit(ops.matmul(matrix, right))
        right = _unit(ops.matmul(left, matrix), right)
    return ops.stop_gradient(left), ops.stop_gradient(right)


def _unit(vector, otherwise=None):
    """The vector at length 1; a zero vector gives `otherwise`, or zeros."""
    largest = ops.max(ops.abs(vector))
    # Scaled by its largest element first: squares of small kernels would underflow.
    scaled = vector / ops.where(largest > 0, largest, ops.ones_like(largest))
    length = ops.sqrt(ops.sum(ops.square(scaled)))
    unit = scaled / ops.where(length > 0, length, ops.ones_like(length))
    return unit if otherwise is None else ops.where(largest > 0, unit, otherwise)
