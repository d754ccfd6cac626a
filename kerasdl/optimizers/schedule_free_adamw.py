"""AdamW whose weights are averaged in place of a schedule."""

from typing import ClassVar

from keras import ops

from kerasdl.optimizers.adaptive_optimizer import debias, mix
from kerasdl.optimizers.checks import require_decays, require_positive
from kerasdl.optimizers.schedule_free_optimizer import (
    ScheduleFreeOptimizer,
    require_interpolation,
)
from kerasdl.registry import register


@register
class ScheduleFreeAdamW(ScheduleFreeOptimizer):
    """AdamW without a schedule of the learning rate: the weights are averaged instead.

    ```
    velocity = beta_2 * velocity + (1 - beta_2) * gradient(y)**2
    rate = learning_rate * min(1, t / warmup_steps) * sqrt(1 - beta_2**t)
    step = gradient(y) / (sqrt(velocity) + epsilon) + weight_decay * y
    c = max(rates so far)**2 / sum of these squares up to now
    z = z - rate * step
    x = (1 - c) * x + c * z
    y = (1 - beta_1) * z + beta_1 * x
    ```

    While training, the model holds y, where gradients are taken; x is what to use. At the end of
    `fit` the model holds x: evaluated or saved it has the averaged weights. The next `fit` goes on
    from y, exactly so with the callback `ScheduleFreeEvaluation` or after `switch_to_training()`;
    otherwise its first gradient is taken at x, and all else is the same. Validation within `fit`
    sees y unless the callback is there. Moving statistics of batch normalization are those of y:
    with small batches run some of the training data through the model, in training mode, at x.

    Weights that are set anew between two calls of `fit` are not noticed: compile again.

    Args:
        learning_rate: A float, a `LearningRateSchedule` or a function without arguments. A constant
            is the purpose; good values are 1 to 10 times those for AdamW with a schedule.
        beta_1: The share of x in y, between 0 and 1; it takes the part of Adam's momentum.
        beta_2: Decay of the average of squared gradients, in [0, 1).
        epsilon: What is added to the root, above 0.
        warmup_steps: Steps in which the rate rises to `learning_rate`.
        **kwargs: `name`, `weight_decay`, `clipnorm` and the other arguments of
            `keras.optimizers.Optimizer`, but for `use_ema`.

    Raises:
        ValueError: An argument is out of range, Keras refuses one, or `use_ema` is given.

    Example:
        >>> model.compile(optimizer=ScheduleFreeAdamW(learning_rate=0.0025), loss="mse")
        >>> model.fit(x, y, callbacks=[ScheduleFreeEvaluation()], validation_split=0.1)

    Source:
        Defazio, Yang, Mehta, Mishchenko, Khaled, Cutkosky: The road less scheduled, 2024
        (arXiv 2405.15682), algorithm 1, with the largest rate so far in c as in the authors' code.
        Later releases of the code correct the bias in the divisor instead of in the rate.
        `keras.optimizers.ScheduleFreeAdamW` of Keras 3.15 follows another path on TensorFlow and
        torch, decays y by itself and never gives the average.
    """

    search_space: ClassVar = {
        "learning_rate": {"min_value": 1e-4, "max_value": 1e-1, "sampling": "log"},
        "beta_1": [0.9, 0.95, 0.98],
        "warmup_steps": [0, 100, 1000],
    }

    def __init__(
        self,
        learning_rate=0.0025,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        warmup_steps=0,
        **kwargs,
    ):
        super().__init__(learning_rate, beta_1, warmup_steps, **kwargs)
        require_interpolation(self, "beta_1", beta_1)
        require_decays(self, beta_2=beta_2)
        require_positive(self, epsilon=epsilon)
        self.beta_1 = float(beta_1)
        self.beta_2 = float(beta_2)
        self.epsilon = float(epsilon)

    def build(self, variables):
        """Creates z and one average of squares per variable."""
        if self.built:
            return
        super().build(variables)
        self.velocities = self.add_optimizer_variables(variables, "velocity")

    def direction(self, gradient, index):
        """Returns the gradient over the root of the average of its squares."""
        velocity = mix(self.beta_2, self.velocities[index], ops.square(gradient))
        direction = gradient / (ops.sqrt(velocity) + self.epsilon)
        self.assign(self.velocities[index], velocity)
        return direction

    def correction(self, step):
        """Returns what the start of the average of squares at 0 makes too large."""
        return ops.sqrt(debias(self.beta_2, step))

    def get_config(self):
        """Returns the constructor's arguments."""
        own = {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
        return {**super().get_config(), **own}
