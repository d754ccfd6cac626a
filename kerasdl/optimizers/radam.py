"""Adam that waits with adaptive rates until their variance is tractable."""

import math
from typing import ClassVar

from keras import ops

from kerasdl.optimizers.adaptive_optimizer import AdaptiveOptimizer, debias, mix
from kerasdl.registry import register


@register
class RAdam(AdaptiveOptimizer):
    """Rectified Adam: momentum alone in the first steps, then Adam at a rectified rate.

    ```
    momentum = beta_1 * momentum + (1 - beta_1) * gradient
    velocity = beta_2 * velocity + (1 - beta_2) * gradient**2
    m = momentum / (1 - beta_1**t)
    v = velocity / (1 - beta_2**t)
    limit = 2 / (1 - beta_2) - 1
    length = limit - 2 * t * beta_2**t / (1 - beta_2**t)
    if length > 4:
        r = (length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length)
        weight = weight - learning_rate * sqrt(r) * m / (sqrt(v) + epsilon)
    else:
        weight = weight - learning_rate * m
    ```

    A step of momentum alone is as long as the gradient: with the default `beta_2` the first 4 steps
    are of that kind. A `beta_2` of at most 0.6 never leaves it, for `limit` is then at most 4.

    Args:
        learning_rate: A float, a `LearningRateSchedule` or a function without arguments.
        beta_1: Decay of the average of gradients, in [0, 1).
        beta_2: Decay of the average of squared gradients, in [0, 1).
        epsilon: What is added to the root, above 0.
        **kwargs: `name`, `weight_decay`, `clipnorm` and the other arguments of
            `keras.optimizers.Optimizer`.

    Raises:
        ValueError: `beta_1`, `beta_2` or `epsilon` is out of range, or Keras refuses an argument.

    Example:
        >>> model.compile(optimizer=RAdam(learning_rate=0.001), loss="mse")

    Source:
        Liu, Jiang, He, Chen, Liu, Gao, Han: On the variance of the adaptive learning rate and
        beyond, 2019 (arXiv 1908.03265), algorithm 2. The authors' code and `torch.optim.RAdam`
        begin to adapt above 5 instead of 4, and the epsilon is Keras' own.
    """

    search_space: ClassVar = {
        "learning_rate": {"min_value": 1e-4, "max_value": 1e-1, "sampling": "log"},
        "beta_1": [0.8, 0.9, 0.95],
        "beta_2": [0.99, 0.999],
    }

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, **kwargs):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)

    def direction(self, gradient, averages, step):
        """Returns the rectified direction and the new averages."""
        momentum = mix(self.beta_1, averages[0], gradient)
        velocity = mix(self.beta_2, averages[1], ops.square(gradient))
        m = momentum / ops.cast(debias(self.beta_1, step), gradient.dtype)
        v = velocity / ops.cast(debias(self.beta_2, step), gradient.dtype)
        length, rectification = self._rectification(step)
        adaptive = m * ops.cast(rectification, gradient.dtype) / (ops.sqrt(v) + self.epsilon)
        return ops.where(length > 4, adaptive, m), (momentum, velocity)

    def _rectification(self, step):
        """Returns the length of the average and the root of r, 0 where r is not defined."""
        limit = 2 / (1 - self.beta_2) - 1
        if limit <= 4:
            return ops.zeros_like(step), ops.zeros_like(step)
        length = _length(self.beta_2, step)
        tractable = ops.where(length > 4, length, 4.0)
        r = (tractable - 4) * (tractable - 2) * limit / ((limit - 4) * (limit - 2) * tractable)
        return length, ops.sqrt(r)


def _length(decay, step):
    """Returns `2 / (1 - decay) - 1 - 2 * t * decay**t / (1 - decay**t)` without cancellation.

    With `rate = -log(decay)` and `x = rate * t` the last term is `2 / rate * x / (exp(x) - 1)`,
    which for small x is nearly as large as the first.
    """
    rate = -math.log(decay)
    constant = 2 / (1 - decay) - 1 - 2 / rate
    x = step * rate
    large = ops.where(x > 0.1, x, 1.0)
    series = x / 2 - x**2 / 12 + x**4 / 720
    return constant + 2 / rate * ops.where(x > 0.1, 1 - large / ops.expm1(large), series)
