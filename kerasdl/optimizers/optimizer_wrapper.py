"""What optimizers around another optimizer have in common."""

import keras

from kerasdl.optimizers.checks import require_one_replica

_SETTINGS = (  # the arguments of Keras' base class but the learning rate, which the inner one has
    *("name", "weight_decay", "clipnorm", "global_clipnorm", "clipvalue"),
    *("use_ema", "ema_momentum", "ema_overwrite_frequency"),
    *("loss_scale_factor", "gradient_accumulation_steps"),
)


class OptimizerWrapper(keras.optimizers.Optimizer):
    """An optimizer that hands its gradients to another one.

    Subclasses extend `_backend_update_step`, which Keras calls with gradients that are unscaled,
    accumulated and clipped by the wrapper's own settings. The learning rate is the inner
    optimizer's; weight decay and clipping work in either, the others in the wrapper only.
    """

    def __init__(self, inner, **kwargs):
        if "learning_rate" in kwargs:
            raise ValueError(
                f"{type(self).__name__}(learning_rate={kwargs['learning_rate']!r}): the learning "
                "rate is that of the inner optimizer. Give "
                "inner=keras.optimizers.Adam(learning_rate=...)."
            )
        inner = _optimizer(type(self).__name__, inner)
        super().__init__(learning_rate=lambda: inner.learning_rate, **kwargs)
        self.inner = inner

    @property
    def learning_rate(self):
        """The inner optimizer's learning rate."""
        return self.inner.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        self.inner.learning_rate = learning_rate

    @property
    def variables(self):
        """The wrapper's own variables, then the inner optimizer's."""
        return [*super().variables, *self.inner.variables]

    def build(self, variables):
        """Builds the inner optimizer for the variables."""
        if self.built:
            return
        require_one_replica(self)
        super().build(variables)
        self.inner.build(variables)

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        self.inner.apply(grads, trainable_variables)

    def finalize_variable_values(self, var_list):
        """Lets the inner optimizer write its final values, then the wrapper."""
        self.inner.finalize_variable_values(var_list)
        super().finalize_variable_values(var_list)

    def get_config(self):
        """Returns the constructor's arguments."""
        inner = _portable(keras.saving.serialize_keras_object(self.inner))
        return {**{name: getattr(self, name) for name in _SETTINGS}, "inner": inner}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Returns the optimizer that `get_config` described."""
        if isinstance(config.get("inner"), dict):
            inner = keras.saving.deserialize_keras_object(config["inner"], custom_objects)
            config = {**config, "inner": inner}
        return cls(**config)


def _portable(serialized):
    """Returns a serialized optimizer under its public name.

    On torch Keras saves its optimizers as classes of torch alone, which no other backend can run.
    """
    if serialized["module"].startswith("keras.src."):
        return {**serialized, "module": "keras.optimizers", "registered_name": None}
    return serialized


def _optimizer(owner, inner):
    """Returns the optimizer that an instance, a name or a configuration stands for."""
    try:
        found = keras.optimizers.get(inner)
    except ValueError as error:
        raise ValueError(
            f"{owner}(inner={inner!r}): {error} Give an optimizer, or the name of one."
        ) from None
    if found is None or isinstance(found, keras.optimizers.LossScaleOptimizer):
        raise ValueError(
            f"{owner}(inner={inner!r}): the inner optimizer must be one that moves weights. Give "
            f"keras.optimizers.Adam(), and put a LossScaleOptimizer around the {owner}."
        )
    if found.built:
        raise ValueError(
            f"{owner}(inner={inner!r}): the inner optimizer belongs to a model already. Give a new "
            "one."
        )
    outer_only = ("use_ema", "loss_scale_factor", "gradient_accumulation_steps")
    taken = [name for name in outer_only if getattr(found, name)]
    if taken:
        raise ValueError(
            f"{owner}(inner={inner!r}): the inner optimizer must not set {', '.join(taken)}. "
            f"Give {'it' if len(taken) == 1 else 'them'} to the {owner}."
        )
    return found
