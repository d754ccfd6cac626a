"""Gradient descent whose weights are averaged in place of a schedule."""

from typing import ClassVar

from kerasdl.optimizers.schedule_free_optimizer import (
    ScheduleFreeOptimizer,
    require_interpolation,
)
from kerasdl.registry import register


@register
class ScheduleFreeSGD(ScheduleFreeOptimizer):
    """Gradient descent without a schedule of the learning rate: the weights are averaged instead.

    ```
    rate = learning_rate * min(1, t / warmup_steps)
    step = gradient(y) + weight_decay * y
    c = max(rates so far)**2 / sum of these squares up to now
    z = z - rate * step
    x = (1 - c) * x + c * z
    y = (1 - momentum) * z + momentum * x
    ```

    While training, the model holds y, where gradients are taken; at the end of `fit` it holds x,
    the average. What `ScheduleFreeAdamW` says of `ScheduleFreeEvaluation`, of a second `fit` and of
    batch normalization holds here too.

    Args:
        learning_rate: A float, a `LearningRateSchedule` or a function without arguments. A constant
            is the purpose; good values are 10 to 50 times those for SGD with momentum.
        momentum: The share of x in y, between 0 and 1.
        warmup_steps: Steps in which the rate rises to `learning_rate`.
        **kwargs: `name`, `weight_decay`, `clipnorm` and the other arguments of
            `keras.optimizers.Optimizer`, but for `use_ema`.

    Raises:
        ValueError: An argument is out of range, Keras refuses one, or `use_ema` is given.

    Example:
        >>> model.compile(optimizer=ScheduleFreeSGD(learning_rate=1.0), loss="mse")
        >>> model.fit(x, y, callbacks=[ScheduleFreeEvaluation()], validation_split=0.1)

    Source:
        Defazio, Yang, Mehta, Mishchenko, Khaled, Cutkosky: The road less scheduled, 2024
        (arXiv 2405.15682), equations 1 to 3, with the weights of the average from the authors'
        code.
    """

    search_space: ClassVar = {
        "learning_rate": {"min_value": 1e-2, "max_value": 10.0, "sampling": "log"},
        "momentum": [0.9, 0.95, 0.98],
        "warmup_steps": [0, 100, 1000],
    }

    def __init__(self, learning_rate=1.0, momentum=0.9, warmup_steps=0, **kwargs):
        super().__init__(learning_rate, momentum, warmup_steps, **kwargs)
        require_interpolation(self, "momentum", momentum)
        self.momentum = float(momentum)

    def direction(self, gradient, index):
        """Returns the gradient."""
        return gradient

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "momentum": self.momentum}
