"""An optimizer whose gradients are centralized, clipped and made noisy first."""

from typing import ClassVar

import keras
from keras import ops

from kerasdl.backend import dense
from kerasdl.optimizers.checks import is_number, require_positive
from kerasdl.optimizers.optimizer_wrapper import OptimizerWrapper
from kerasdl.registry import register

_LEAST_NORM = 1e-3  # of a unit's weights: smaller ones, as at a start of zeros, may still move


@register
class GradientTransform(OptimizerWrapper):
    """Another optimizer that gets gradients centralized, clipped adaptively and with noise.

    ```
    1. centralize:   g = g - mean(g)
    2. clip_factor:  g = g * min(1, clip_factor * max(|w|, 0.001) / |g|)
    3. noise:        g = g + normal(0, noise / (1 + t)**noise_decay)
    ```

    Mean and norms are those of a unit: all axes but the last, which in Keras is that of the
    outputs. A tensor of less than two axes is not centralized, and its norm is that of the whole.
    Step t is counted from 0; the noise is given by its variance. Each part is off by default.

    Args:
        inner: An optimizer, the name of one or its configuration. Its learning rate is that of the
            wrapper, and a schedule of it counts updates. Moving averages of weights, gradient
            accumulation and loss scaling are to be set in the wrapper; its clipping by norm comes
            before what is done here, that of the inner optimizer after.
        centralize: Whether to subtract the mean of each unit.
        clip_factor: The most that a unit's gradient may have of its weights' norm, above 0, such as
            0.01; `None` does not clip. The authors leave the last layer out, which cannot be told
            here.
        noise: Variance of the noise in the first step, at least 0; the authors use 0.01, 0.3 and 1.
        noise_decay: Exponent of its fall, at least 0.
        seed: An integer or `None`, for the noise.
        **kwargs: `name`, `weight_decay`, `clipnorm` and the other arguments of
            `keras.optimizers.Optimizer`, but for the learning rate.

    Raises:
        ValueError: An argument is out of range, `inner` is no optimizer or sets what the wrapper
            must, Keras refuses an argument, or, when the optimizer is built, `tf.distribute` trains
            on several replicas.

    Example:
        >>> optimizer = GradientTransform("sgd", centralize=True, clip_factor=0.01)
        >>> model.compile(optimizer=optimizer, loss="mse")

    Source:
        Yong, Huang, Hua, Zhang: Gradient centralization, 2020 (arXiv 2004.01461). Brock, De, Smith,
        Simonyan: High-performance large-scale image recognition without normalization, 2021
        (arXiv 2102.06171), equation 3. Neelakantan, Vilnis, Le, Sutskever, Kaiser, Kurach, Martens:
        Adding gradient noise improves learning for very deep networks, 2015 (arXiv 1511.06807).
    """

    search_space: ClassVar = {
        "centralize": [False, True],
        "clip_factor": {"min_value": 1e-3, "max_value": 1.0, "sampling": "log"},
        "noise": {"min_value": 1e-3, "max_value": 1.0, "sampling": "log"},
    }
    other_settings: ClassVar = {"inner": "sgd", "clip_factor": 0.01}

    def __init__(
        self,
        inner="adam",
        centralize=False,
        clip_factor=None,
        *,
        noise=0.0,
        noise_decay=0.55,
        seed=None,
        **kwargs,
    ):
        super().__init__(inner, **kwargs)
        if clip_factor is not None:
            require_positive(self, clip_factor=clip_factor)
        for name, value in {"noise": noise, "noise_decay": noise_decay}.items():
            if not (is_number(value) and value >= 0):
                raise ValueError(
                    f"GradientTransform({name}={value!r}): {name} must be a finite number of at "
                    "least 0. Leave both out for no noise; the authors use noise=0.3 and "
                    "noise_decay=0.55."
                )
        self.centralize = bool(centralize)
        self.clip_factor = clip_factor
        self.noise = float(noise)
        self.noise_decay = float(noise_decay)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._track_variable(self.seed_generator.state)

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        transformed = [
            self._transform(ops.cast(dense(gradient), variable.dtype), variable)
            for gradient, variable in zip(grads, trainable_variables, strict=True)
        ]
        super()._backend_update_step(transformed, trainable_variables, learning_rate)

    def _transform(self, gradient, variable):
        if self.centralize and len(gradient.shape) > 1:
            gradient = gradient - ops.mean(gradient, _unit_axes(gradient), keepdims=True)
        if self.clip_factor is not None:
            gradient = self._clip(gradient, ops.convert_to_tensor(variable))
        if self.noise:
            gradient = gradient + self._draw_noise(gradient)
        return gradient

    def _clip(self, gradient, weight):
        bound = self.clip_factor * ops.maximum(_unit_norms(weight), _LEAST_NORM)
        norms = _unit_norms(gradient)
        factors = ops.where(norms > bound, bound / ops.maximum(norms, bound), 1.0)
        return gradient * ops.cast(factors, gradient.dtype)

    def _draw_noise(self, gradient):
        step = ops.cast(self.iterations + 1, "float32")
        deviation = (self.noise / step**self.noise_decay) ** 0.5
        draw = keras.random.normal(gradient.shape, dtype="float32", seed=self.seed_generator)
        return ops.cast(draw * deviation, gradient.dtype)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "centralize": self.centralize,
            "clip_factor": self.clip_factor,
            "noise": self.noise,
            "noise_decay": self.noise_decay,
            "seed": self.seed,
        }


def _unit_axes(tensor):
    return tuple(range(max(1, len(tensor.shape)) - 1)) or None


def _unit_norms(tensor):
    precise = keras.backend.result_type(keras.backend.standardize_dtype(tensor.dtype), "float32")
    squares = ops.square(ops.cast(tensor, precise))
    return ops.sqrt(ops.sum(squares, _unit_axes(tensor), keepdims=True))
