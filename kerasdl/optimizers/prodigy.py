"""Adam that finds its learning rate."""

import math
from typing import ClassVar

from keras import ops

from kerasdl.backend import dense
from kerasdl.optimizers.adaptive_optimizer import AdaptiveOptimizer, copy_of, mix
from kerasdl.optimizers.checks import require_one_replica, require_positive
from kerasdl.registry import register


@register
class Prodigy(AdaptiveOptimizer):
    """Adam whose rate is an estimate of the distance from the first weights to the solution.

    ```
    momentum = beta_1 * momentum + (1 - beta_1) * d * gradient
    velocity = beta_2 * velocity + (1 - beta_2) * d**2 * gradient**2
    r = sqrt(beta_2) * r + learning_rate * d**2 * <gradient, start - weight>
    s = sqrt(beta_2) * s + learning_rate * d**2 * gradient
    weight = weight - learning_rate * d * momentum / (sqrt(velocity) + d * epsilon)
    d = max(d, distance_scale * r / |s|_1)
    ```

    `start` are the weights when the optimizer is built; the scalar product and the norm are over
    all weights. `d` begins at `initial_distance` and never falls. Leave `learning_rate` at 1, or
    give a schedule of factors up to 1; to make steps longer or shorter, change `distance_scale`.
    Weight decay is at the rate `learning_rate * d`. The optimizer holds four tensors for each
    weight. Weights that are set anew after training began spoil the estimate: compile again.

    Args:
        learning_rate: A float, a `LearningRateSchedule` or a function without arguments.
        beta_1: Decay of the average of gradients, in [0, 1).
        beta_2: Decay of the average of squares, in [0, 1); its root is that of `r` and `s`.
        epsilon: What is added to the root, above 0.
        distance_scale: Factor of the estimate, above 0.
        initial_distance: The first `d`, above 0 and far below the distance.
        **kwargs: `name`, `weight_decay`, `clipnorm` and the other arguments of
            `keras.optimizers.Optimizer`.

    Raises:
        ValueError: An argument is out of range, Keras refuses one, or, when the optimizer is built,
            `tf.distribute` trains on several replicas.

    Example:
        >>> model.compile(optimizer=Prodigy(), loss="mse")

    Source:
        Mishchenko, Defazio: Prodigy: an expeditiously adaptive parameter-free learner, 2023
        (arXiv 2306.06101), algorithm 4; the factor 1 - sqrt(beta_2) of `r` and `s` cancels. The
        authors' code multiplies epsilon by the new `d`.
    """

    @classmethod
    def example(cls):
        """Returns an instance whose first steps are not lost in float32."""
        return cls(initial_distance=0.01)

    search_space: ClassVar = {
        "distance_scale": {"min_value": 0.25, "max_value": 4.0, "sampling": "log"},
        "beta_2": [0.99, 0.999],
    }
    slots: ClassVar = ("momentum", "velocity", "sum")

    def __init__(
        self,
        learning_rate=1.0,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        *,
        distance_scale=1.0,
        initial_distance=1e-6,
        **kwargs,
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        require_positive(self, distance_scale=distance_scale, initial_distance=initial_distance)
        self.distance_scale = float(distance_scale)
        self.initial_distance = float(initial_distance)

    def build(self, variables):
        """Creates the averages, the copies of the first weights and the estimate."""
        if self.built:
            return
        require_one_replica(self)
        super().build(variables)
        self.starts = [
            self.add_variable_from_reference(variable, "start", copy_of(variable))
            for variable in variables
        ]
        self.product = self.add_variable((), dtype="float32", name="product")
        self.relative_distance = self.add_variable(
            (), "ones", dtype="float32", name="relative_distance"
        )

    @property
    def distance(self):
        """The estimate d, a scalar."""
        return self.relative_distance * self.initial_distance

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        """Moves all variables by one step, for the estimate needs all gradients."""
        gradients = [
            ops.cast(dense(gradient), variable.dtype)
            for gradient, variable in zip(grads, trainable_variables, strict=True)
        ]
        pairs = list(zip(gradients, trainable_variables, strict=True))
        rate = ops.cast(learning_rate, "float32")
        growth = rate * ops.square(self.relative_distance)
        product, norm = self._accumulate(pairs, growth)
        for gradient, variable in pairs:
            self._move(gradient, variable, rate * self.distance)
        self.product.assign(product)
        safe = ops.where(norm > 0, norm, 1.0)
        estimate = self.distance_scale * product / safe / self.initial_distance
        estimate = ops.where(norm > 0, estimate, 0.0)
        self.relative_distance.assign(ops.maximum(self.relative_distance, estimate))

    def _accumulate(self, pairs, growth):
        """Adds the gradients to `s`, and returns the new `r` and the norm of `s`.

        In units of `initial_distance**2`, as d**2 itself would be lost in float32.
        """
        decay = math.sqrt(self.beta_2)
        product, norm = self.product * decay, 0.0
        for gradient, variable in pairs:
            index = self._get_variable_index(variable)
            summed = self._averages[2][index]
            away = self.starts[index] - ops.convert_to_tensor(variable)
            product += growth * ops.cast(ops.sum(gradient * away), "float32")
            total = summed * decay + gradient * ops.cast(growth, gradient.dtype)
            self.assign(summed, total)
            norm += ops.cast(ops.sum(ops.abs(total)), "float32")
        return product, norm

    def _move(self, gradient, variable, rate):
        index = self._get_variable_index(variable)
        momentum, velocity = (averages[index] for averages in self._averages[:2])
        scaled = gradient * ops.cast(self.relative_distance, gradient.dtype)
        self.assign(momentum, mix(self.beta_1, momentum, scaled))
        self.assign(velocity, mix(self.beta_2, velocity, ops.square(scaled)))
        floor = ops.cast(self.relative_distance, gradient.dtype) * self.epsilon
        step = momentum / (ops.sqrt(velocity) + floor)
        if self.weight_decay is not None and self._use_weight_decay(variable):
            step = step + ops.convert_to_tensor(variable) * self.weight_decay
        self.assign_sub(variable, step * ops.cast(rate, gradient.dtype))

    def _apply_weight_decay(self, variables):
        """Leaves the decay to the step, which knows the rate."""

    def get_config(self):
        """Returns the constructor's arguments."""
        own = {
            "distance_scale": self.distance_scale,
            "initial_distance": self.initial_distance,
        }
        return {**super().get_config(), **own}
