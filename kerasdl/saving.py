"""Loading model files whose components come from installed plugins."""

import json
import zipfile

import keras

from kerasdl import plugins
from kerasdl.registry import UnknownComponentError

_IMPORTED_BY_KERAS = ("keras", "keras_hub", "keras_cv", "keras_nlp")


def load_model(filepath, custom_objects=None, compile=True, safe_mode=True):
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
    needed = _component_names(config)
    for prefix in sorted({name.partition(">")[0] for name in needed}):
        plugins.load(prefix)
    missing = sorted(needed - {*keras.saving.get_custom_objects(), *custom_objects})
    if missing:
        prefixes = sorted({name.partition(">")[0] for name in missing})
        raise UnknownComponentError(
            f"{filepath} needs {', '.join(missing)}, which no installed plugin registers. "
            f"Install or import the package that provides {', '.join(map(repr, prefixes))} "
            "(a plugin declares its prefix as an entry point in the group 'kerasdl.plugins'), "
            "or pass custom_objects."
        )


def _component_names(config):
    """The `package>Name`s of all objects that a model's config holds."""
    names = set()
    for node in _nodes(config):
        registered = node.get("registered_name")
        names.add(node.get("config") if registered == "function" else registered)
        if isinstance(node.get("compile_config"), dict):
            names.update(_strings(node["compile_config"]))  # loss="package>Name" is kept as it is
    return {
        name
        for name in names
        if isinstance(name, str)
        and ">" in name
        and name.partition(">")[0] not in _IMPORTED_BY_KERAS
    }


def _nodes(config):
    if isinstance(config, dict):
        yield config
    children = config.values() if isinstance(config, dict) else config
    for child in children:
        if isinstance(child, dict | list):
            yield from _nodes(child)


def _strings(config):
    for child in config.values() if isinstance(config, dict) else config:
        if isinstance(child, dict | list):
            yield from _strings(child)
        elif isinstance(child, str):
            yield child
