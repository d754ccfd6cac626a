"""Adam that divides by how far gradients lie from their average."""

from typing import ClassVar

from keras import ops

from kerasdl.optimizers.adaptive_optimizer import AdaptiveOptimizer, debias, mix
from kerasdl.registry import register


@register
class AdaBelief(AdaptiveOptimizer):
    """Adam with the variance of the gradient about its average in place of its square.

    ```
    momentum = beta_1 * momentum + (1 - beta_1) * gradient
    variance = beta_2 * variance + (1 - beta_2) * (gradient - momentum)**2 + epsilon
    m = momentum / (1 - beta_1**t)
    s = variance / (1 - beta_2**t)
    weight = weight - learning_rate * m / (sqrt(s) + epsilon)
    ```

    Where gradients agree with their average, steps are long; where they scatter, short. The epsilon
    is added at every step, so that it counts `1 / (1 - beta_2)` times, and under the root: 1e-16 is
    1e-8 there. Half precision weights (`float16`, not `mixed_float16`) round it to 0; give 1e-7.

    Args:
        learning_rate: A float, a `LearningRateSchedule` or a function without arguments.
        beta_1: Decay of the average of gradients, in [0, 1).
        beta_2: Decay of the average of squared deviations, in [0, 1).
        epsilon: What is added to the variance and to its root, above 0.
        **kwargs: `name`, `weight_decay`, `clipnorm` and the other arguments of
            `keras.optimizers.Optimizer`.

    Raises:
        ValueError: `beta_1`, `beta_2` or `epsilon` is out of range, or Keras refuses an argument.

    Example:
        >>> model.compile(optimizer=AdaBelief(learning_rate=0.001), loss="mse")

    Source:
        Zhuang, Tang, Ding, Tatikonda, Dvornek, Papademetris, Duncan: AdaBelief optimizer: adapting
        stepsizes by the belief in observed gradients, 2020 (arXiv 2010.07468), algorithm 2. Their
        code by default adds the rectification of RAdam, which is not in the algorithm.
    """

    search_space: ClassVar = {
        "learning_rate": {"min_value": 1e-4, "max_value": 1e-1, "sampling": "log"},
        "beta_1": [0.8, 0.9, 0.95],
        "beta_2": [0.99, 0.999],
        "epsilon": {"min_value": 1e-16, "max_value": 1e-8, "sampling": "log"},
    }
    slots: ClassVar = ("momentum", "variance")

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-16, **kwargs):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)

    def direction(self, gradient, averages, step):
        """Returns the average over the root of the variance, and both."""
        momentum = mix(self.beta_1, averages[0], gradient)
        deviation = ops.square(gradient - momentum)
        variance = mix(self.beta_2, averages[1], deviation) + self.epsilon
        m = momentum / ops.cast(debias(self.beta_1, step), gradient.dtype)
        s = variance / ops.cast(debias(self.beta_2, step), gradient.dtype)
        return m / (ops.sqrt(s) + self.epsilon), (momentum, variance)
