"""Training for weights around which the loss is low, too."""

import inspect
from typing import ClassVar

import keras
import numpy as np
from keras import ops

from kerasdl.backend import TwoPassTraining, dense
from kerasdl.optimizers.checks import is_number
from kerasdl.registry import register


@register
class SharpnessAware(TwoPassTraining, keras.Model):
    """A model that trains another one by sharpness-aware minimization.

    ```
    moved = weights + rho * gradient(weights) / |gradient(weights)|
    weights = step of the optimizer along gradient(moved)
    ```

    The norm is over all trainable weights. A step takes two passes, and so about twice the time.
    Loss and metrics that `fit` reports are those of the weights themselves, and so are the moving
    statistics of batch normalization; both passes draw the same dropout. Any optimizer will do.

    Compile and fit this model in place of the other, whose layers it shares: after training, use
    and save `model` by itself. Predicting and evaluating give the same with either.

    Args:
        model: The `keras.Model` to train.
        rho: How far the weights are moved, at least 0; 0 trains as usual.
        **kwargs: `name` and the other arguments of `keras.Model`. The dtype is that of `model`.

    Raises:
        TypeError: `model` is no Keras model.
        ValueError: `rho` is no number of at least 0; or, in `fit`, `tf.distribute` trains on
            several replicas.

    Example:
        >>> trained = SharpnessAware(model, rho=0.05)
        >>> trained.compile(optimizer="sgd", loss="mse")
        >>> trained.fit(x, y)
        >>> model.save("model.keras")

    Source:
        Foret, Kleiner, Mobahi, Neyshabur: Sharpness-aware minimization for efficiently improving
        generalization, 2020 (arXiv 2010.01412), algorithm 1 with p = 2.
    """

    search_space: ClassVar = {"rho": {"min_value": 0.01, "max_value": 0.5, "sampling": "log"}}

    @classmethod
    def example(cls):
        """Returns an instance around a small model."""
        return cls(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]))

    @classmethod
    def example_inputs(cls):
        """Returns rows for `example`."""
        return np.random.default_rng(0).normal(size=(2, 4)).astype("float32")

    def __init__(self, model, rho=0.05, **kwargs):
        if not isinstance(model, keras.Model):
            raise TypeError(
                f"SharpnessAware(model={model!r}): model must be a keras.Model. Put a single layer "
                "into a keras.Sequential."
            )
        if not (is_number(rho) and rho >= 0):
            raise ValueError(
                f"SharpnessAware(rho={rho!r}): rho must be a finite number of at least 0. Use 0.05."
            )
        super().__init__(**{"dtype": model.dtype_policy, **kwargs})
        self.model = model
        self.rho = float(rho)
        self.built = model.built

    def build(self, input_shape):
        """Builds the model that is trained."""
        if not self.model.built:
            self.model.build(input_shape)

    def call(self, inputs, training=None):
        """Returns what the model returns."""
        if "training" in inspect.signature(self.model.call).parameters:
            return self.model(inputs, training=training)
        return self.model(inputs)

    def compute_output_shape(self, input_shape):
        """Returns the shape that the model returns."""
        return self.model.compute_output_shape(input_shape)

    def perturbations(self, gradients):
        """Returns what to add to each weight; `None` where a gradient is `None`."""
        gradients = [None if gradient is None else dense(gradient) for gradient in gradients]
        wide = [ops.cast(gradient, "float32") for gradient in gradients if gradient is not None]
        largest = ops.max(ops.stack([ops.max(ops.abs(gradient)) for gradient in wide]))
        unit = ops.where(largest > 0, largest, 1.0)  # squares of a scaled loss might overflow
        total = sum(ops.sum(ops.square(gradient / unit)) for gradient in wide)
        factor = ops.where(largest > 0, self.rho / ops.sqrt(ops.maximum(total, 1.0)), 0.0)
        return [
            None
            if gradient is None
            else ops.cast(ops.cast(gradient, "float32") / unit * factor, gradient.dtype)
            for gradient in gradients
        ]

    def get_config(self):
        """Returns the constructor's arguments."""
        model = keras.saving.serialize_keras_object(self.model)
        return {**super().get_config(), "model": model, "rho": self.rho}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Returns the model that `get_config` described."""
        model = keras.saving.deserialize_keras_object(config["model"], custom_objects)
        return cls(**{**config, "model": model})
