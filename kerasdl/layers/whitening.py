"""Whitening by the covariance of a data set."""

from typing import ClassVar

import keras
import numpy as np
from keras import ops

from kerasdl.layers import arguments
from kerasdl.layers.moments import Moments, batches
from kerasdl.registry import register


@register
class Whitening(keras.layers.Layer):
    """Gives the features of a data set the mean 0 and the covariance 1.

    ```
    zca: y = (x - mean) U (L + epsilon)**-1/2 U'
    pca: y = (x - mean) U (L + epsilon)**-1/2
    ```

    `U L U'` is the covariance of the data that `adapt` has seen. Both equalize the covariance; ZCA
    stays as near to the data as possible, PCA sorts the components by falling variance (each
    eigenvector with its largest element positive, so that the signs are the same everywhere).

    The features lie along the last axis; all other axes count samples. For whole images, flatten
    them first. What `adapt` finds is saved with the layer, but not trained, and not part of the
    config: a clone is to be adapted again, or gets the weights by a file or its own `set_weights`.

    Args:
        mode: `"zca"` or `"pca"`.
        epsilon: Added to the variances, at least 0: directions of much smaller variance are damped
            instead of blown up.
        **kwargs: `name`, `dtype` and the other arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, ..., features)`; `features` must be known.

    Output shape:
        The input's.

    Raises:
        ValueError: `mode` is none of the two or `epsilon` is negative; when called: the layer has
            not been adapted.

    Example:
        >>> whitening = Whitening()
        >>> whitening.adapt(x_train)
        >>> model = keras.Sequential([whitening, keras.layers.Dense(10)])

    Source:
        The founding notes (covariance equalization). Kessy, Lewin, Strimmer: Optimal whitening and
        decorrelation, 2018 (arXiv 1512.00809). LeCun, Bottou, Orr, Mueller: Efficient BackProp,
        1998, section 4.3.
    """

    search_space: ClassVar = {
        "mode": ["zca", "pca"],
        "epsilon": {"min_value": 1e-8, "max_value": 1e-1, "sampling": "log"},
    }
    other_settings: ClassVar[dict] = {"mode": "pca"}

    @classmethod
    def example(cls):
        """Returns an adapted layer."""
        layer = cls()
        layer.adapt(np.random.default_rng(1).normal(size=(20, 3)))
        return layer

    @classmethod
    def example_inputs(cls):
        """Returns vectors of the size that the example is adapted to."""
        return np.random.default_rng(0).normal(size=(4, 3)).astype("float32")

    def __init__(self, mode="zca", epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.mode = arguments.choice("Whitening", "mode", mode, ("zca", "pca"))
        self.epsilon = arguments.number("Whitening", "epsilon", epsilon, "Use 1e-5.", at_least=0)
        self.supports_masking = True
        self._adapted = False

    def build(self, input_shape):
        """Creates the mean and the matrix, to be filled by `adapt`."""
        features = arguments.size_of_axis("Whitening", -1, input_shape)
        dtype = keras.backend.result_type(self.variable_dtype, "float32")
        settings = {"dtype": dtype, "trainable": False, "autocast": False, "initializer": "zeros"}
        self.mean = self.add_weight(name="mean", shape=(features,), **settings)
        self.matrix = self.add_weight(name="matrix", shape=(features, features), **settings)

    def adapt(self, data):
        """Computes mean and covariance of a data set, batch by batch, in float64.

        Earlier data is forgotten.

        Args:
            data: An array or tensor `(samples, ..., features)`, or batches of such: a
                `tf.data.Dataset`, `keras.utils.PyDataset`, torch `DataLoader`, list or generator.
                Of a batch that is a tuple, such as `(x, y)`, the first entry is taken. Nothing is
                kept of a batch but its moments.

        Raises:
            ValueError: There is no data, batches differ in their features or hold NaN or infinity,
                or the covariance is singular and `epsilon` is 0.
            TypeError: `data` can be neither an array nor batches.
        """
        moments = Moments()
        for batch in batches(data):
            moments.add(batch)
        covariance = moments.covariance()
        if not self.built:
            self.build((None, len(covariance)))
        if tuple(self.matrix.shape) != covariance.shape:
            raise ValueError(
                f"Whitening was built for {self.matrix.shape[0]} features, but the data has "
                f"{len(covariance)}. Adapt a new layer."
            )
        self.mean.assign(moments.mean)
        self.matrix.assign(self._whitening_matrix(covariance))
        self._adapted = True

    def call(self, inputs):
        """Returns the inputs whitened."""
        if not self._adapted:
            raise ValueError(
                f"Whitening {self.name!r} has not seen any data. Call its adapt(data) first, or "
                "load weights into it."
            )
        dtype = keras.backend.result_type(self.compute_dtype, "float32")
        centered = ops.cast(inputs, dtype) - ops.cast(self.mean, dtype)
        return ops.cast(ops.matmul(centered, ops.cast(self.matrix, dtype)), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """Returns the input's shape."""
        return input_shape

    def load_own_variables(self, store):
        """Loads mean and matrix from a file; those of a layer that was never adapted are zeros."""
        super().load_own_variables(store)
        self._note_values()

    def set_weights(self, weights):
        """Sets mean and matrix."""
        super().set_weights(weights)
        self._note_values()

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "mode": self.mode, "epsilon": self.epsilon}

    def _note_values(self):
        self._adapted = bool(np.any(ops.convert_to_numpy(self.matrix)))

    def _whitening_matrix(self, covariance):
        variances, vectors = np.linalg.eigh(covariance)
        variances = np.maximum(variances[::-1], 0) + self.epsilon
        if variances[-1] <= np.finfo("float64").eps * len(variances) * variances[0]:
            raise ValueError(
                f"Whitening(epsilon={self.epsilon:g}): the covariance of the data is singular; "
                "some features depend on others or never vary. Use a larger epsilon, such as "
                "1e-5 times the largest variance."
            )
        vectors = vectors[:, ::-1]
        largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None], axis=0)
        vectors = vectors * np.sign(largest)
        scaled = vectors / np.sqrt(variances)
        return scaled if self.mode == "pca" else scaled @ vectors.T
