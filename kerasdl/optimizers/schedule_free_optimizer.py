"""What schedule-free optimizers have in common."""

import keras
from keras import ops

from kerasdl.backend import dense
from kerasdl.optimizers.adaptive_optimizer import copy_of
from kerasdl.optimizers.checks import is_number, require_count


class ScheduleFreeOptimizer(keras.optimizers.Optimizer):
    """An optimizer that averages its weights instead of lowering its learning rate.

    ```
    rate = learning_rate * min(1, t / warmup_steps) * correction(t)
    c = max(rates so far)**2 / sum of these squares up to now
    step = direction(gradient at y) + weight_decay * y
    z = z - rate * step
    x = (1 - c) * x + c * z
    y = (1 - interpolation) * z + interpolation * x
    ```

    In training the model holds y; x, the average, is for use, and z is a slot. At the end of `fit`
    the model holds x. Subclasses define `direction` and, where the rate needs it, `correction`.
    """

    def __init__(self, learning_rate, interpolation, warmup_steps, **kwargs):
        super().__init__(learning_rate=learning_rate, **kwargs)
        require_count(self, 0, warmup_steps=warmup_steps)
        if self.use_ema:
            raise ValueError(
                f"{type(self).__name__}(use_ema=True): the optimizer averages the weights by "
                "itself, and a second average would overwrite the first. Leave use_ema out."
            )
        self.warmup_steps = int(warmup_steps)
        self._interpolation = interpolation

    def direction(self, gradient, index):
        """Returns the step before rate and decay, and brings the slots at `index` up to date."""
        raise NotImplementedError(f"{type(self).__name__} must define direction(gradient, index).")

    def correction(self, step):
        """Returns a factor of the learning rate in step `step`, which is counted from 1."""
        return ops.ones_like(step)

    def build(self, variables):
        """Creates z, a copy of the weights, and the state of the average."""
        if self.built:
            return
        super().build(variables)
        self.iterates = [
            self.add_variable_from_reference(variable, "iterate", copy_of(variable))
            for variable in variables
        ]
        self.largest_rate = self.add_variable((), dtype="float32", name="largest_rate")
        self.sum_of_squares = self.add_variable((), dtype="float32", name="sum_of_squares")
        self.averaged = self.add_variable((), dtype="float32", name="averaged")

    def switch_to_average(self):
        """Puts the average x into the model, for evaluating and saving it.

        Does nothing where the model holds it already or was never trained. To be called outside of
        compiled functions, as `fit` does at its end.
        """
        if self.built and not self._holds_average():
            self._move_variables(1 - 1 / self._interpolation)
            self.averaged.assign(1.0)

    def switch_to_training(self):
        """Puts y back into the model; does nothing where the model holds it already."""
        if self.built and self._holds_average():
            self._move_variables(1 - self._interpolation)
            self.averaged.assign(0.0)

    def finalize_variable_values(self, var_list):
        """Puts the average into the model, as `fit` ends."""
        self.switch_to_average()

    def update_step(self, gradient, variable, learning_rate):
        """Moves one variable and its z by one step at the rate of `_backend_update_step`."""
        index = self._get_variable_index(variable)
        scalars = learning_rate, self._share()
        rate, share = (ops.cast(scalar, variable.dtype) for scalar in scalars)
        iterate, weight = self.iterates[index], self._training_weight(variable, index)
        step = self.direction(ops.cast(dense(gradient), variable.dtype), index)
        if self.weight_decay is not None and self._use_weight_decay(variable):
            step = step + weight * self.weight_decay
        # y by itself, without x: the interpolation of both updates above.
        kept = weight + share * (iterate - weight)
        moved = kept - rate * (1 - self._interpolation * (1 - share)) * step
        self.assign(iterate, iterate - rate * step)
        self.assign(variable, moved)

    def _training_weight(self, variable, index):
        """Returns y, also where the model still holds x of an earlier `fit`."""
        weight, iterate = ops.convert_to_tensor(variable), self.iterates[index]
        away = ops.cast(self.averaged * (1 - self._interpolation), variable.dtype)
        return weight + away * (iterate - weight)

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        """Moves all variables by one step, once rate and share of the step are known."""
        step = ops.cast(self.iterations + 1, "float32")
        warmup = ops.minimum(step / max(1, self.warmup_steps), 1.0)
        rate = ops.cast(learning_rate, "float32") * warmup * self.correction(step)
        self.largest_rate.assign(ops.maximum(self.largest_rate, rate))
        self.sum_of_squares.assign(self.sum_of_squares + ops.square(self.largest_rate))
        super()._backend_update_step(grads, trainable_variables, rate)
        self.averaged.assign(0.0)

    def _share(self):
        """Returns c, the share of z in the new average; 0 before any rate was above 0."""
        total = ops.convert_to_tensor(self.sum_of_squares)
        return ops.square(self.largest_rate) / ops.where(total > 0, total, 1.0)

    def _holds_average(self):
        return bool(ops.convert_to_numpy(self.averaged))

    def _move_variables(self, share):
        for variable, iterate in zip(self._trainable_variables, self.iterates, strict=True):
            variable.assign(variable + share * (iterate - variable))

    def _apply_weight_decay(self, variables):
        """Leaves the decay to `update_step`, which knows y."""

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "warmup_steps": self.warmup_steps}


def require_interpolation(owner, name, value):
    """Refuses a share of the average in y that is not between 0 and 1."""
    if not (is_number(value) and 0 < value < 1):
        raise ValueError(
            f"{type(owner).__name__}({name}={value!r}): {name} must lie between 0 and 1, both "
            "excluded: gradients are taken at that share of the average. Use 0.9."
        )
