"""Third-party components: installed distributions that declare an entry point `kerasdl.plugins`.

The entry point's name is the package prefix of its components, its value the module that registers
them. A plugin is imported when one of its names is missed, never at `import kerasdl`.
"""

import importlib.metadata
import warnings

GROUP = "kerasdl.plugins"

_tried = set()


def load(prefix):
    """Imports the installed plugin that declares `prefix`, if there is one, once.

    Raises:
        ValueError: Two distributions declare the prefix.
    """
    declared = [point for point in _entry_points() if point.name.lower() == prefix.lower()]
    owners = sorted({_distribution(point) for point in declared})
    if len(owners) > 1:
        raise ValueError(
            f"The distributions {', '.join(owners)} all declare the plugin prefix {prefix!r}; "
            "uninstall all but one."
        )
    if declared:
        _import(declared[0])


def load_all():
    """Imports every installed plugin that was not tried before."""
    for prefix in sorted({point.name for point in _entry_points()}):
        try:
            load(prefix)
        except ValueError as error:
            warnings.warn(str(error), stacklevel=2)


def _entry_points():
    return importlib.metadata.entry_points(group=GROUP)


def _distribution(point):
    return point.dist.name if point.dist else point.value


def _import(point):
    if point.value in _tried:
        return
    _tried.add(point.value)
    try:
        point.load()
    except Exception as error:  # a plugin may fail in any way; it must not take others along
        warnings.warn(
            f"The plugin {point.name!r} of the distribution {_distribution(point)!r} could not be "
            f"imported: {type(error).__name__}: {error}. Its components are not available.",
            stacklevel=2,
        )
