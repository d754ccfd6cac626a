"""An optimizer whose weights are pulled back to slow ones every few steps."""

from typing import ClassVar

from keras import ops

from kerasdl.optimizers.adaptive_optimizer import copy_of
from kerasdl.optimizers.checks import is_number, require_count
from kerasdl.optimizers.optimizer_wrapper import OptimizerWrapper
from kerasdl.registry import register


@register
class Lookahead(OptimizerWrapper):
    """Another optimizer that explores `k` steps, of which the slow weights take a part.

    ```
    fast = inner step of fast
    every k steps:  slow = slow + alpha * (fast - slow);  fast = slow
    ```

    The model holds the fast weights; after a number of steps that `k` divides both are equal. The
    slow weights begin at the values when the optimizer is built. The averages of the inner
    optimizer are kept when the weights are pulled back.

    Args:
        inner: An optimizer, the name of one or its configuration. Its learning rate is that of the
            wrapper, and a schedule of it counts updates. Moving averages of weights, gradient
            accumulation and loss scaling are to be set in the wrapper.
        k: Steps between two synchronizations, at least 1.
        alpha: The part of the way that the slow weights go, above 0 and up to 1.
        **kwargs: `name`, `weight_decay`, `clipnorm` and the other arguments of
            `keras.optimizers.Optimizer`, but for the learning rate.

    Raises:
        ValueError: An argument is out of range, `inner` is no optimizer or sets what the wrapper
            must, Keras refuses an argument, or, when the optimizer is built, `tf.distribute` trains
            on several replicas.

    Example:
        >>> model.compile(optimizer=Lookahead(keras.optimizers.Adam(0.001)), loss="mse")

    Source:
        Zhang, Lucas, Hinton, Ba: Lookahead optimizer: k steps forward, 1 step back, 2019
        (arXiv 1907.08610), algorithm 1.
    """

    search_space: ClassVar = {"k": [5, 6, 10], "alpha": [0.5, 0.8]}
    other_settings: ClassVar = {"inner": "sgd"}

    def __init__(self, inner="adam", k=6, alpha=0.5, **kwargs):
        super().__init__(inner, **kwargs)
        require_count(self, 1, k=k)
        if not (is_number(alpha) and 0 < alpha <= 1):
            raise ValueError(
                f"Lookahead(alpha={alpha!r}): alpha must be above 0 and at most 1. Use 0.5 to go "
                "half the way; 1 is the inner optimizer alone."
            )
        self.k = int(k)
        self.alpha = float(alpha)

    def build(self, variables):
        """Creates the slow weights."""
        if self.built:
            return
        super().build(variables)
        self.slow_weights = [
            self.add_variable_from_reference(variable, "slow", copy_of(variable))
            for variable in variables
        ]

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        super()._backend_update_step(grads, trainable_variables, learning_rate)
        synchronize = ops.equal((self.iterations + 1) % self.k, 0)
        for variable in trainable_variables:
            slot = self.slow_weights[self._get_variable_index(variable)]
            fast, slow = ops.convert_to_tensor(variable), ops.convert_to_tensor(slot)
            met = slow + self.alpha * (fast - slow)
            self.assign(variable, ops.where(synchronize, met, fast))
            self.assign(slot, ops.where(synchronize, met, slow))

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "k": self.k, "alpha": self.alpha}
