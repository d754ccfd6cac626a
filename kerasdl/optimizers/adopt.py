"""Adam that converges with any decay of the second moment."""

from typing import ClassVar

from keras import ops

from kerasdl.optimizers.adaptive_optimizer import AdaptiveOptimizer, mix
from kerasdl.registry import register


@register
class ADOPT(AdaptiveOptimizer):
    """Adam that normalizes each gradient by the squares before it, and then averages.

    ```
    step 0:  velocity = gradient**2, and the weight stays
    step t:  n = clip(gradient / max(sqrt(velocity), epsilon), -t**0.25, t**0.25)
             momentum = beta_1 * momentum + (1 - beta_1) * n
             weight = weight - learning_rate * momentum
             velocity = beta_2 * velocity + (1 - beta_2) * gradient**2
    ```

    As the current gradient is not in its own divisor, the two are independent, and the method
    converges whatever `beta_2` is, where Adam may not. The clipping keeps a weight whose first
    gradient was nearly 0 from leaping.

    Args:
        learning_rate: A float, a `LearningRateSchedule` or a function without arguments.
        beta_1: Decay of the average of normalized gradients, in [0, 1).
        beta_2: Decay of the average of squared gradients, in [0, 1).
        epsilon: The least divisor, above 0.
        **kwargs: `name`, `weight_decay`, `clipnorm` and the other arguments of
            `keras.optimizers.Optimizer`. The weight decay also acts in step 0.

    Raises:
        ValueError: `beta_1`, `beta_2` or `epsilon` is out of range, or Keras refuses an argument.

    Example:
        >>> model.compile(optimizer=ADOPT(learning_rate=0.001), loss="mse")

    Source:
        Taniguchi, Harada, Minegishi, Oshima, Jeong, Nagahara, Iiyama, Suzuki, Iwasawa, Matsuo:
        ADOPT: modified Adam can converge with any beta_2 with the optimal rate, 2024
        (arXiv 2411.02853), algorithm 2. Earlier releases of the authors' code had no clipping.
    """

    search_space: ClassVar = {
        "learning_rate": {"min_value": 1e-4, "max_value": 1e-1, "sampling": "log"},
        "beta_1": [0.8, 0.9, 0.95],
        "beta_2": [0.99, 0.999, 0.9999],
    }

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.9999, epsilon=1e-6, **kwargs):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)

    def direction(self, gradient, averages, step):
        """Returns the average of normalized gradients, and the new averages."""
        first = step <= 1
        bound = ops.cast((step - 1) ** 0.25, gradient.dtype)
        normalized = gradient / ops.maximum(ops.sqrt(averages[1]), self.epsilon)
        clipped = ops.maximum(ops.minimum(normalized, bound), -bound)  # the bound is 0 at first
        momentum = mix(self.beta_1, averages[0], clipped)
        square = ops.square(gradient)
        velocity = ops.where(first, square, mix(self.beta_2, averages[1], square))
        return momentum, (momentum, velocity)
