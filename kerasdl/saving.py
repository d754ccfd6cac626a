"""Loading model files whose components come from installed plugins."""

import json
import zipfile

import keras

from kerasdl import plugins
from kerasdl.registry import UnknownComponentError

_IMPORTED_BY_KERAS = ("keras", "keras_hub", "keras_cv", "keras_nlp")


def load_model(filepath, custom_objects=None, compile=True, safe_mode=True):  # noqa: A002
    """Loads a saved model, importing the installed plugins that declare its components.

    Which plugin to import follows from the prefix of the component's name and the entry points of
    installed distributions. No module that is named only in the file is imported.

    Args:
        filepath: A `.keras` file (an `.h5` file is handed to Keras as it is).
        custom_objects: See `keras.saving.load_model`.
        compile: See `keras.saving.load_model`.
        safe_mode: See `keras.saving.load_model`.

    Returns:
        A Keras model.

    Raises:
        UnknownComponentError: The file needs components that no installed plugin registers; the
            message lists all of them.
    """
    if zipfile.is_zipfile(filepath):
        _provide_components(filepath, custom_objects or {})
    return keras.saving.load_model(filepath, custom_objects, compile=compile, safe_mode=safe_mode)


def _provide_components(filepath, custom_objects):
    with zipfile.ZipFile(filepath) as archive:
        config = json.loads(archive.read("config.json"))
    strings = {text for text in _strings(config) if ">" in text}
    for prefix in sorted({text.partition(">")[0] for text in strings}):
        plugins.load(prefix)
    known = {**keras.saving.get_custom_objects(), **custom_objects}
    missing = sorted(_component_names(config) - set(known))
    if missing:
        prefixes = sorted({name.partition(">")[0] for name in missing})
        raise UnknownComponentError(
            f"{filepath} needs {', '.join(missing)}, which no installed plugin registers. "
            f"Install or import the package that provides {', '.join(map(repr, prefixes))} "
            "(a plugin declares its prefix as an entry point in the group 'kerasdl.plugins'), "
            "or pass custom_objects."
        )


def _component_names(config):
    """The `package>Name`s of all objects that a config holds."""
    names = set()
    for node in _nodes(config):
        name = node.get("registered_name")
        if name == "function":
            name = node.get("config")
        if isinstance(name, str) and ">" in name:
            names.add(name)
    return {name for name in names if name.partition(">")[0] not in _IMPORTED_BY_KERAS}


def _nodes(config):
    if isinstance(config, dict):
        yield config
        for value in config.values():
            yield from _nodes(value)
    elif isinstance(config, list):
        for value in config:
            yield from _nodes(value)


def _strings(config):
    for node in _nodes({"root": config}):
        for value in node.values():
            yield from (text for text in _flat(value) if isinstance(text, str))


def _flat(value):
    return value if isinstance(value, list) else [value]
