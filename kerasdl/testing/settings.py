"""Other values of a component's constructor arguments."""

import inspect
import numbers

import keras

from kerasdl.kinds import BASES
from kerasdl.testing.results import described

# What Keras' own base classes leave out of the configuration, and what is a name and no setting.
_NOT_SETTINGS = {"loss": {"dtype"}}

_BASES = {keras.layers.Layer, keras.Model, *filter(None, BASES.values())}
_STRINGS = (
    ("same", "valid", "causal"),
    ("channels_last", "channels_first"),
    ("sum", "sum_over_batch_size", "mean"),
    ("fan_in", "fan_out", "fan_avg"),
    ("truncated_normal", "uniform", "untruncated_normal", "normal"),
    ("relu", "tanh", "sigmoid", "linear", "leaky_relu", "softmax"),
    ("nearest", "bilinear"),
    ("ave", "sum", "concat", "mul"),
    ("int", "one_hot", "multi_hot", "count"),
    ("reflect", "wrap", "constant", "nearest"),
    ("micro", "macro", "weighted"),
    ("triangular", "triangular2", "exp_range"),
    ("hard", "semi_hard"),
    ("linear", "quadratic"),
)
_OBJECTS = {
    "initializer": (keras.initializers.Constant(0.3), keras.initializers.HeNormal(seed=1)),
    "regularizer": (keras.regularizers.L2(0.02),),
    "constraint": (keras.constraints.MaxNorm(0.7),),
    "activation": ("tanh", "relu"),
}


def arguments(component):
    """Returns the names of the constructor's arguments, none where it is that of a base class."""
    lineage = type(component).__mro__
    if next(one for one in lineage if "__init__" in vars(one)) in _BASES:
        return []
    parameters = inspect.signature(type(component).__init__).parameters.values()
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [p.name for p in parameters if p.kind in kinds and p.name != "self"]


def settings_of(subject):
    """Returns the names of the arguments that are to survive saving."""
    excluded = _NOT_SETTINGS.get(subject.kind, set())
    return [name for name in arguments(subject.component) if name not in excluded]


def variant(subject, argument):
    """Returns an instance in which one argument has another value, and that value.

    Returns:
        The pair, or None where no other value was found that the component takes and runs with;
        `other_settings` of the component may name one.
    """
    before = _present(subject, argument)
    for value in _candidates(subject.component, argument, before):
        try:
            subject.behaves(with_value(subject, argument, value))
        except Exception:
            continue
        return with_value(subject, argument, _again(value)), value
    return None


def _again(value):
    """Returns another object of the same settings, for a layer can be built only once."""
    is_object = hasattr(value, "get_config") and hasattr(type(value), "from_config")
    return type(value).from_config(value.get_config()) if is_object else value


def is_guess(subject, argument):
    """Returns whether nothing tells of what type another value of an argument would be."""
    told = argument in getattr(subject.component, "other_settings", {}) or argument == "seed"
    named = any(argument.endswith(word) for word in _OBJECTS)
    return _present(subject, argument) is None and not (told or named)


def refusal(subject, argument):
    """Returns why the component takes no other value of an argument, for a message."""
    for value in _candidates(subject.component, argument, _present(subject, argument)):
        try:
            subject.behaves(with_value(subject, argument, value))
        except Exception as error:
            return f"{value!r} gave {described(error)}"
    return "no other value is known"


def with_value(subject, argument, value):
    """Returns an instance with another value of an argument.

    The constructor makes it, so that no configuration is trusted.
    """
    component = subject.component
    given = {
        name: _present(subject, name)
        for name in arguments(component)
        if name in subject.config or hasattr(component, name)
    }
    if any(isinstance(one, dict) and "class_name" in one for one in given.values()):
        given = {name: _object(one) for name, one in given.items()}
    return subject.adapted(type(component)(**{**given, argument: value}))


def _object(value):
    if isinstance(value, dict) and "class_name" in value:
        return keras.saving.deserialize_keras_object(value)
    return value


def _present(subject, argument):
    """Returns the value that an argument has, from the configuration or else the attribute."""
    if argument in subject.config:
        return subject.config[argument]
    return getattr(subject.component, argument, _default(subject.component, argument))


def _default(component, argument):
    """Returns what the constructor takes where an argument is left out, None for nothing."""
    default = inspect.signature(type(component).__init__).parameters[argument].default
    return None if default is inspect.Parameter.empty else default


def _candidates(component, argument, before):
    named = getattr(component, "other_settings", {})
    if argument in named:
        value = named[argument]
        yield value() if inspect.isfunction(value) else value
        return
    for word, objects in _OBJECTS.items():
        if argument == word or argument.endswith(f"_{word}"):
            yield from (one for one in objects if one != before)
            return
    default = _default(component, argument)
    if default is not None and type(default) is not type(before):  # a number for a pair, say
        yield from (value for value in _others(argument, default) if value != default)
    yield from (value for value in _others(argument, before) if value != before)


def _others(argument, before):
    """Yields values of the same type, the likeliest to be taken first."""
    if isinstance(before, bool):
        yield not before
    elif argument == "axis" and isinstance(before, int | None):
        yield from (1, -1, -2)  # axis 0 has the rows, of which there may be any number
    elif isinstance(before, numbers.Integral):
        yield from (before + 1, 2 * before, before - 1, 1)
    elif isinstance(before, numbers.Real):
        yield from (before * 0.7, before * 1.5, 0.3, 0.6, before + 0.1)
    elif isinstance(before, str):
        yield from _other_strings(argument, before)
    elif isinstance(before, list | tuple) and before:
        yield from _other_sequences(argument, before)
    elif before is None:
        yield from _other_than_none(argument)


def _other_strings(argument, before):
    if argument == "name":
        yield "another_name"
    for family in _STRINGS:
        if before in family:
            yield from (word for word in family if word != before)


def _other_sequences(argument, before):
    for change in (0, 1, 2):
        others = [list(_others(argument, item)) for item in before]
        if all(len(values) > change for values in others):
            yield type(before)(values[change] for values in others)


def _other_than_none(argument):
    if argument == "seed":
        yield 1234
    if argument == "name":
        yield "another_name"
    if "dtype" in argument:
        return
    yield from (0.5, 2, True, (0.2, 0.8), "relu")
