"""The key board: every component hangs here under one name, `"package>ClassName"`.

Registering a class makes it found by name, built by name, saved and loaded by Keras, and usable as
a string wherever Keras takes strings. Its kind follows from its Keras base class.
"""

import dataclasses
import difflib
import fnmatch
import inspect
import threading
import warnings

import keras

from kerasdl import keras_names, plugins
from kerasdl.kinds import kind_of, refuse_lost_settings, require_kind


class UnknownComponentError(KeyError, ValueError):
    """No component has the name: a KeyError as for any mapping, a ValueError as Keras raises."""

    def __str__(self):
        return self.args[0]


class DuplicateComponentError(ValueError):
    """Two different components claim one name."""


@dataclasses.dataclass(frozen=True)
class Component:
    """One hook of the key board: a class or function, its kind and its canonical name."""

    kind: str
    name: str
    target: object

    @property
    def package(self):
        """The part of the name before `>`."""
        return self.name.partition(">")[0]

    @property
    def origin(self):
        """Where the component is defined, `module.QualifiedName`."""
        return f"{self.target.__module__}.{self.target.__qualname__}"


_components = {}  # canonical name -> Component
_old_names = {}  # former canonical name -> canonical name
_lock = threading.RLock()


def register(component=None, *, package=None, renamed_from=()):
    """Registers a Keras component; to be used as a decorator.

    A class of the same module and qualified name replaces its predecessor (a notebook cell run
    again); any other component that claims a taken name is refused.

    Args:
        component: A subclass of a Keras layer, loss, metric, optimizer, schedule, initializer,
            regularizer, constraint or callback, or a function, which becomes an activation.
        package: The part of the canonical name before `>`. Default: the top-level package that
            defines the component, or Keras' own `"Custom"` in a script or notebook.
        renamed_from: Names that the component had in earlier releases; files that hold them load.

    Returns:
        The component, unchanged.

    Raises:
        TypeError: `component` is of no kind, or Keras would lose its settings when saving.
        DuplicateComponentError: A different component has the name.

    Example:
        >>> @kerasdl.register
        ... class HalfSquaredError(keras.losses.Loss):
        ...     def call(self, y_true, y_pred):
        ...         return keras.ops.mean((y_pred - y_true) ** 2, axis=-1) / 2
    """
    if component is None:
        return lambda target: register(target, package=package, renamed_from=renamed_from)
    kind = kind_of(component)
    refuse_lost_settings(component, kind)
    package = _package_of(component, package)
    entry = Component(kind, f"{package}>{component.__name__}", component)
    old_names = [old if ">" in old else f"{package}>{old}" for old in renamed_from]
    with _lock:
        for name in (entry.name, *old_names):
            _refuse_duplicate(name, entry)
        _components[entry.name] = entry
        _old_names.update(dict.fromkeys(old_names, entry.name))
        for name in (*old_names, entry.name):
            keras_names.install(name, kind, component)
    return component


def lookup(kind, name):
    """Returns the class (or the function) that is registered under a name.

    Args:
        kind: `"layer"`, `"loss"`, `"metric"`, `"optimizer"`, `"schedule"`, `"initializer"`,
            `"regularizer"`, `"constraint"`, `"activation"` or `"callback"`.
        name: `"kerasdl>LogCosh"`, `"LogCosh"`, `"log_cosh"`: case and underscores do not matter,
            and the package may be left out where only one package has the name.

    Raises:
        UnknownComponentError: No such component, installed plugins included; the message lists the
            nearest names.
        ValueError: `kind` is no kind, or several packages have the name.
    """
    return _find(kind, name).target


def get(kind, name, **settings):
    """Returns a new instance of a registered component; an activation is returned as it is.

    Args:
        kind: See `lookup`.
        name: See `lookup`.
        **settings: The constructor's arguments.

    Raises:
        UnknownComponentError: See `lookup`.
        TypeError: The constructor does not take these settings.

    Example:
        >>> kerasdl.get("loss", "log_cosh", beta=2.0)
    """
    entry = _find(kind, name)
    if entry.kind == "activation":
        if settings:
            raise TypeError(
                f"{entry.name!r} is a function of one tensor and takes no settings; "
                f"received {settings}."
            )
        return entry.target
    try:
        inspect.signature(entry.target).bind(**settings)
    except TypeError as error:
        raise TypeError(
            f"{entry.name!r} cannot be built from {settings}: {error}. "
            f"Its signature is {_signature(entry)}."
        ) from None
    return entry.target(**settings)


def names(kind=None, pattern="*"):
    """Returns the sorted canonical names of all components, installed plugins included.

    Args:
        kind: Only this kind; `None` for all.
        pattern: A shell pattern such as `"*sgd*"`; case does not matter.
    """
    if kind is not None:
        require_kind(kind)
    plugins.load_all()
    found = [entry.name for entry in _components.values() if kind in (None, entry.kind)]
    return sorted(
        (name for name in found if fnmatch.fnmatchcase(name.lower(), pattern.lower())),
        key=str.lower,
    )


def describe(kind, name):
    """Returns a component's canonical name, kind, signature and docstring as text."""
    entry = _find(kind, name)
    text = inspect.getdoc(entry.target) or "(no docstring)"
    return f"{entry.name} ({entry.kind})\n{_signature(entry)}\n\n{text}"


def _find(kind, name):
    require_kind(kind)
    if not isinstance(name, str):
        raise TypeError(f"A component's name is a string; received {name!r}.")
    found = _match(kind, name)
    if not found:
        plugins.load(name.partition(">")[0]) if ">" in name else plugins.load_all()
        found = _match(kind, name)
    if not found:
        raise UnknownComponentError(_unknown_message(kind, name))
    if len(found) > 1:
        choices = ", ".join(repr(entry.name) for entry in found)
        raise ValueError(f"Several packages have a {kind} {name!r}: {choices}. Give one of these.")
    return found[0]


def _match(kind, name):
    if name in _old_names:
        new_name = _old_names[name]
        warnings.warn(f"{name!r} is now called {new_name!r}.", FutureWarning, stacklevel=4)
        name = new_name
    package, _, short_name = name.rpartition(">")
    return [
        entry
        for entry in _components.values()
        if entry.kind == kind
        and _plain(entry.target.__name__) == _plain(short_name)
        and (not package or entry.package.lower() == package.lower())
    ]


def _plain(name):
    return name.replace("_", "").replace("-", "").lower()


def _package_of(component, package):
    if package is None:
        top = component.__module__.partition(".")[0]
        return "Custom" if top == "__main__" else top
    if not isinstance(package, str) or not package or ">" in package:
        raise ValueError(f"A package is a non-empty string without '>'; received {package!r}.")
    return package


def _refuse_duplicate(name, entry):
    holder = keras.saving.get_custom_objects().get(name)
    if name in _components:
        holder = _components[name].target
    if holder is None or holder is entry.target:
        return
    held_by = Component(entry.kind, name, holder)
    if held_by.origin != entry.origin:
        raise DuplicateComponentError(
            f"{name!r} is registered by {held_by.origin}; {entry.origin} cannot take the name. "
            "Rename one of them or give it another package."
        )


def _signature(entry):
    return f"{entry.target.__name__}{inspect.signature(entry.target)}"


def _unknown_message(kind, name):
    short_name = name.rpartition(">")[2]
    lines = [f"No {kind} is registered as {name!r}."]
    nearest = _nearest(short_name, {e.name: e for e in _components.values()}, kind)
    if nearest:
        lines.append("Nearest: " + ", ".join(f"{e.name!r} ({e.kind})" for e in nearest) + ".")
    built_in = keras_names.nearest_built_in(short_name, kind)
    if built_in:
        lines.append(f"Keras has {', '.join(built_in)}: pass these to Keras itself.")
    lines.append(f"kerasdl.names({kind!r}) lists every {kind}.")
    return " ".join(lines)


def _nearest(short_name, entries, kind):
    """The entries of nearly this name, of any kind; failing that, the nearest of the kind."""
    by_name = {_plain(entry.target.__name__): entry for entry in entries.values()}
    near = difflib.get_close_matches(_plain(short_name), by_name, n=3, cutoff=0.6)
    if not near:
        same_kind = [plain for plain, entry in by_name.items() if entry.kind == kind]
        near = difflib.get_close_matches(_plain(short_name), same_kind, n=3, cutoff=0.0)
    return [by_name[plain] for plain in near]
