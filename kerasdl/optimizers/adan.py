"""Adam with Nesterov momentum, of gradients and of their differences."""

from typing import ClassVar

from keras import ops

from kerasdl.optimizers.adaptive_optimizer import AdaptiveOptimizer, debias, mix
from kerasdl.optimizers.checks import require_decays
from kerasdl.registry import register


@register
class Adan(AdaptiveOptimizer):
    """Adaptive Nesterov momentum: Adam of gradients extrapolated along their change.

    ```
    change = gradient - previous gradient, 0 in the first step
    momentum = beta_1 * momentum + (1 - beta_1) * gradient
    trend = beta_2 * trend + (1 - beta_2) * change
    velocity = beta_3 * velocity + (1 - beta_3) * (gradient + beta_2 * change)**2
    m, d, n = the three, each divided by 1 - beta**t
    weight = weight - learning_rate * (m + beta_2 * d) / (sqrt(n) + epsilon)
    weight = weight / (1 + learning_rate * weight_decay)
    ```

    The betas are decays, as in Adam and in the authors' code; the paper writes 1 - beta for them,
    so that its 0.02, 0.08 and 0.01 are 0.98, 0.92 and 0.99 here. The weight decay is proximal, a
    division after the step, and not the subtraction before it that Keras' optimizers make.

    Args:
        learning_rate: A float, a `LearningRateSchedule` or a function without arguments.
        beta_1: Decay of the average of gradients, in [0, 1).
        beta_2: Decay of the average of their changes, in [0, 1).
        beta_3: Decay of the average of squares, in [0, 1).
        epsilon: What is added to the root, above 0.
        **kwargs: `name`, `weight_decay`, `clipnorm` and the other arguments of
            `keras.optimizers.Optimizer`.

    Raises:
        ValueError: A beta or `epsilon` is out of range, or Keras refuses an argument.

    Example:
        >>> model.compile(optimizer=Adan(learning_rate=0.001, weight_decay=0.02), loss="mse")

    Source:
        Xie, Zhou, Li, Lin, Yan: Adan: adaptive Nesterov momentum algorithm for faster optimizing
        deep models, 2022 (arXiv 2208.06677), algorithm 1. The division by 1 - beta**t is from the
        authors' code; the algorithm starts the averages at the first gradient instead.
    """

    search_space: ClassVar = {
        "learning_rate": {"min_value": 1e-4, "max_value": 1e-1, "sampling": "log"},
        "beta_1": [0.96, 0.98, 0.99],
        "beta_2": [0.86, 0.92, 0.96],
    }
    slots: ClassVar = ("momentum", "trend", "velocity", "gradient")

    def __init__(
        self,
        learning_rate=0.001,
        beta_1=0.98,
        beta_2=0.92,
        beta_3=0.99,
        epsilon=1e-8,
        **kwargs,
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        require_decays(self, beta_3=beta_3)
        self.beta_3 = float(beta_3)

    def direction(self, gradient, averages, step):
        """Returns the extrapolated average over the root of squares, and the new averages."""
        momentum, trend, velocity, previous = averages
        change = ops.where(step > 1, gradient - previous, ops.zeros_like(gradient))
        momentum = mix(self.beta_1, momentum, gradient)
        trend = mix(self.beta_2, trend, change)
        velocity = mix(self.beta_3, velocity, ops.square(gradient + self.beta_2 * change))
        m = momentum / ops.cast(debias(self.beta_1, step), gradient.dtype)
        d = trend / ops.cast(debias(self.beta_2, step), gradient.dtype)
        n = velocity / ops.cast(debias(self.beta_3, step), gradient.dtype)
        direction = (m + self.beta_2 * d) / (ops.sqrt(n) + self.epsilon)
        return direction, (momentum, trend, velocity, gradient)

    def update_step(self, gradient, variable, learning_rate):
        """Moves one variable by one step and then lets it decay."""
        super().update_step(gradient, variable, learning_rate)
        if self.weight_decay is not None and self._use_weight_decay(variable):
            decay = 1 + learning_rate * self.weight_decay
            self.assign(variable, ops.divide(variable, ops.cast(decay, variable.dtype)))

    def _apply_weight_decay(self, variables):
        """Leaves the decay to `update_step`."""

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "beta_3": self.beta_3}
