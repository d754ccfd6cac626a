"""The kinds of component, each with the Keras base class that makes it one."""

import inspect

import keras

BASES = {
    "layer": keras.layers.Layer,
    "loss": keras.losses.Loss,
    "metric": keras.metrics.Metric,
    "optimizer": keras.optimizers.Optimizer,
    "schedule": keras.optimizers.schedules.LearningRateSchedule,
    "initializer": keras.initializers.Initializer,
    "regularizer": keras.regularizers.Regularizer,
    "constraint": keras.constraints.Constraint,
    "activation": None,  # a function
    "callback": keras.callbacks.Callback,
}


def require_kind(kind):
    """Refuses what is no kind."""
    if kind not in BASES:
        raise ValueError(f"{kind!r} is no kind of component; the kinds are {', '.join(BASES)}.")


def kind_of(component):
    """Returns the kind of a class or function.

    Raises:
        TypeError: It is of none.
    """
    if inspect.isclass(component):
        for kind, base in BASES.items():
            if base is not None and issubclass(component, base):
                return kind
    elif inspect.isfunction(component):
        if len(_required_parameters(component)) == 1:
            return "activation"
        raise TypeError(
            f"A registered function is an activation and takes one tensor; {component.__name__} "
            f"takes {inspect.signature(component)}. Subclass keras.losses.Loss or "
            "keras.metrics.Metric for a function of y_true and y_pred."
        )
    raise TypeError(
        f"register takes a subclass of a Keras {', '.join(k for k in BASES if k != 'activation')} "
        f"or an activation function; received {component!r}."
    )


def _required_parameters(function):
    return [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]


def refuse_lost_settings(component, kind):
    """Refuses constructor arguments that no `get_config` knows of: Keras would drop them."""
    if kind in ("activation", "callback", "layer"):  # Keras writes a layer's config by itself
        return
    lineage = component.__mro__
    init_owner = next(cls for cls in lineage if "__init__" in vars(cls))
    config_owner = next(cls for cls in lineage if "get_config" in vars(cls))
    if lineage.index(init_owner) >= lineage.index(config_owner):
        return
    known = inspect.signature(config_owner.__init__).parameters
    lost = [
        parameter.name
        for parameter in inspect.signature(init_owner.__init__).parameters.values()
        if parameter.name not in known
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if lost:
        raise TypeError(
            f"{component.__name__} takes {', '.join(map(repr, lost))}, but defines no get_config: "
            "a saved model would lose the setting. Define get_config to return "
            "{**super().get_config(), " + ", ".join(f'"{n}": self.{n}' for n in lost) + "}."
        )
