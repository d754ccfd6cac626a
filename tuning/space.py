"""Names of components and their ranges, turned into hyperparameters.

A registered class states its own ranges in a class attribute:

    search_space = {
        "beta": {"min_value": 0.5, "max_value": 10.0, "sampling": "log"},
        "momentum": [0.8, 0.9, 0.95],
    }

A list is a choice; a dict holds the arguments of `hp.Int` if all its numbers are whole, else of
`hp.Float`.
"""

import inspect

import keras

import kerasdl

_MODULES = {
    "layer": keras.layers,
    "loss": keras.losses,
    "metric": keras.metrics,
    "optimizer": keras.optimizers,
    "schedule": keras.optimizers.schedules,
    "initializer": keras.initializers,
    "regularizer": keras.regularizers,
    "constraint": keras.constraints,
    "activation": keras.activations,
    "callback": keras.callbacks,
}


def _log(min_value, max_value):
    return {"min_value": min_value, "max_value": max_value, "sampling": "log"}


_MOMENTUM = [0.0, 0.5, 0.9, 0.95, 0.99]

# Two decades around each default; the step of SGD and Adagrad is not normalized and may be larger.
_KERAS_SPACES = {
    keras.optimizers.SGD: {"learning_rate": _log(1e-3, 1.0), "momentum": _MOMENTUM},
    keras.optimizers.RMSprop: {"learning_rate": _log(1e-4, 1e-1)},
    keras.optimizers.Adagrad: {"learning_rate": _log(1e-3, 1.0)},
    keras.optimizers.Adadelta: {"learning_rate": _log(1e-2, 10.0)},
    keras.optimizers.Adam: {"learning_rate": _log(1e-4, 1e-1)},
    keras.optimizers.AdamW: {
        "learning_rate": _log(1e-4, 1e-1),
        "weight_decay": _log(1e-5, 1e-1),
    },
    keras.optimizers.Adamax: {"learning_rate": _log(1e-4, 1e-1)},
    keras.optimizers.Nadam: {"learning_rate": _log(1e-4, 1e-1)},
    keras.optimizers.Lion: {"learning_rate": _log(1e-5, 1e-2)},
    keras.regularizers.L1: {"l1": _log(1e-6, 1e-1)},
    keras.regularizers.L2: {"l2": _log(1e-6, 1e-1)},
    keras.regularizers.L1L2: {"l1": _log(1e-6, 1e-1), "l2": _log(1e-6, 1e-1)},
}


def choose(hp, kind, names, *, name=None, settings=None, ranges=None):
    """Returns one of several components, with settings from its own ranges, as hyperparameters.

    The choice is the hyperparameter `name`, a setting is `name.component.argument`, for example
    `"optimizer"` and `"optimizer.adam.learning_rate"`. The settings of components that were not
    chosen are not active: they have no value and no place in the table's row.

    Args:
        hp: The `keras_tuner.HyperParameters` that `build` was given.
        kind: `"layer"`, `"loss"`, `"metric"`, `"optimizer"`, `"schedule"`, `"initializer"`,
            `"regularizer"`, `"constraint"`, `"activation"` or `"callback"`.
        names: Keras' own names, `"adam"`, and registered ones, `"kerasdl>LogCosh"`. A name without
            `>` is Keras' own if Keras has it.
        name: What to call the hyperparameter; `kind` by default. Two choices of one kind need two
            names.
        settings: Argument -> value, given to whichever component is chosen, in place of a range.
        ranges: Name, as in `names`, -> argument -> range, in place of the component's own ranges
            or in addition to them. A list is a choice, a dict the arguments of `hp.Int` or
            `hp.Float`: `{"adam": {"learning_rate": {"min_value": 1e-4, "max_value": 1e-2}}}`.

    Returns:
        A new instance; a function for an activation. None where a conditional scope around the call
        is not active, as for any hyperparameter.

    Raises:
        UnknownComponentError: Neither Keras nor a package has the name; lists the nearest ones.
        ValueError: No names, ranges for a component that is not in `names`, a range that is none,
            a hyperparameter `name` that exists with other choices, or a chosen component that does
            not take its settings.

    Example:
        >>> optimizer = tuning.choose(hp, "optimizer", names=["adam", "kerasdl>EMAMomentumSGD"])
        >>> model.compile(optimizer, loss="mse")
    """
    if not hasattr(hp, "conditional_scope"):
        raise TypeError(f"hp is the keras_tuner.HyperParameters given to build; received {hp!r}.")
    name, settings = name or kind, settings or {}
    components = _resolve(kind, names)
    spaces = _spaces(components, settings, ranges or {})
    chosen = hp.Choice(name, list(components))
    if chosen is not None and chosen not in components:
        raise ValueError(
            f"The hyperparameter {name!r} exists already and is {chosen!r}, which is not among "
            f"{', '.join(map(repr, components))}. Give this choice a name of its own: name=..."
        )
    values = {
        component: _declare_space(hp, name, component, space) for component, space in spaces.items()
    }
    if chosen is None:
        return None
    return _make(chosen, components[chosen], {**values[chosen], **settings})


def _resolve(kind, names):
    """The classes or functions by name."""
    if isinstance(names, str) or not names:
        raise ValueError(f"names is a list of at least one name; received {names!r}.")
    components = {}
    for name in names:
        built_in = None if ">" in name else _built_in(kind, name)
        components[name] = kerasdl.lookup(kind, name) if built_in is None else built_in
    return components


def _built_in(kind, name):
    """Keras' class of this name, else what Keras' `get` makes of the string, else None."""
    module = _MODULES.get(kind)
    for public_name, value in vars(module).items() if module else ():
        if inspect.isclass(value) and _plain(public_name) == _plain(name):
            return value
    try:
        found = module.get(name)
    except (AttributeError, TypeError, ValueError):  # no get; settings required; unknown
        return None
    return found if inspect.isfunction(found) else type(found)


def _plain(name):
    return name.replace("_", "").lower()


def _spaces(components, settings, ranges):
    """Each component's ranges by argument, without the arguments that are settled."""
    strangers = [name for name in ranges if name not in components]
    if strangers:
        raise ValueError(
            f"ranges has {strangers[0]!r}, which is not in names: {', '.join(components)}."
        )
    spaces = {}
    for name, component in components.items():
        own = getattr(component, "search_space", _KERAS_SPACES.get(component, {}))
        space = {**own, **ranges.get(name, {})}
        _refuse_settings_of_function(name, component, {**space, **settings})
        spaces[name] = {key: span for key, span in space.items() if key not in settings}
    return spaces


def _refuse_settings_of_function(name, component, arguments):
    if arguments and inspect.isfunction(component):
        raise ValueError(f"{name!r} is a function and takes no settings; received {arguments}.")


def _make(name, component, arguments):
    if inspect.isfunction(component):
        return component
    try:
        return component(**arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name!r} cannot be built from {arguments}: {error}") from error


def _declare_space(hp, name, component, space):
    """The values of a component's settings; None each where it is not chosen."""
    with hp.conditional_scope(name, [component]):
        return {
            argument: _declare(hp, f"{name}.{component}.{argument}", span)
            for argument, span in space.items()
        }


def _declare(hp, name, span):
    if isinstance(span, list | tuple) and span:
        return _declare_choice(hp, name, list(span))
    if not isinstance(span, dict) or not {"min_value", "max_value"} <= set(span):
        raise ValueError(
            f"The range of {name!r} is a list of values or a dict with min_value, max_value and "
            f"the other arguments of hp.Float; received {span!r}."
        )
    numbers = [span.get(key) for key in ("min_value", "max_value", "step")]
    whole = all(number is None or isinstance(number, int) for number in numbers)
    return (hp.Int if whole else hp.Float)(name, **span)


def _declare_choice(hp, name, values):
    # Keras Tuner would make numbers of booleans, and refuses whole numbers among others.
    if all(isinstance(value, bool) for value in values):
        return hp.Boolean(name, default=values[0])
    if any(isinstance(value, float) for value in values):
        values = [float(value) for value in values]
    return hp.Choice(name, values)
