"""Makes `"package>Name"` known to Keras: for saving, for loading, and as a string."""

import difflib
import functools
import importlib
import inspect
import warnings

import keras

# Where Keras keeps each kind in public, and whether it looks strings up in a table of its own
# instead of among the registered objects (keras-team/keras#20112).
_MODULES = {
    "layer": ("keras.layers", False),
    "loss": ("keras.losses", True),
    "metric": ("keras.metrics", True),
    "optimizer": ("keras.optimizers", False),
    "schedule": ("keras.optimizers.schedules", False),
    "initializer": ("keras.initializers", False),
    "regularizer": ("keras.regularizers", True),
    "constraint": ("keras.constraints", True),
    "activation": ("keras.activations", True),
    "callback": ("keras.callbacks", False),
}


def install(name, kind, component):
    """Makes Keras save and load `component` as `name` and take the name as a string."""
    if kind != "callback":  # Keras saves no callbacks
        package, _, short_name = name.partition(">")
        keras.saving.register_keras_serializable(package, short_name)(component)
    module, has_table = _MODULES[kind]
    if has_table:
        table = _string_table(module)
        if table is not None:
            table[name] = component


def mend_compile_from_config():
    """Makes Keras load losses and metrics that were given to `compile` as registered names.

    Keras 3.15 saves such a name as a string and, as it is registered, loads the class in its
    place: the loaded model trains, but cannot be saved again. Here the names are spelled out, as
    the configuration of an instance, before Keras reads them.
    """
    original = keras.Model.compile_from_config

    @functools.wraps(original)
    def compile_from_config(self, config):
        getters = {
            "loss": keras.losses.get,
            "metrics": keras.metrics.get,
            "weighted_metrics": keras.metrics.get,
        }
        spelled_out = {
            key: _spelled_out(config[key], get) for key, get in getters.items() if key in config
        }
        return original(self, {**config, **spelled_out})

    keras.Model.compile_from_config = compile_from_config


def _spelled_out(value, get):
    if isinstance(value, str) and value in keras.saving.get_custom_objects():
        return keras.saving.serialize_keras_object(get(value))
    if isinstance(value, list):
        return [_spelled_out(item, get) for item in value]
    if isinstance(value, dict) and "class_name" not in value:
        return {key: _spelled_out(item, get) for key, item in value.items()}
    return value


def nearest_built_in(short_name, kind):
    """Returns the public paths of Keras' own objects of this or nearly this name, of any kind."""
    if _is_identifier(short_name, kind):
        return [f"{_MODULES[kind][0]}.get({short_name!r})"]
    paths = {}
    for other, (module, _) in _MODULES.items():
        for name, value in vars(importlib.import_module(module)).items():
            public = inspect.isclass(value) or (other == "activation" and inspect.isfunction(value))
            if public and not name.startswith("_"):
                paths.setdefault(name.lower(), []).append((other != kind, f"{module}.{name}"))
    plain = short_name.replace("_", "").lower()
    near = difflib.get_close_matches(plain, paths, n=2, cutoff=0.8)
    return [path for name in near for _, path in sorted(paths[name])[:1]]


def _is_identifier(name, kind):
    """Whether Keras' own `get` of the kind takes a name, `"mse"` for example."""
    get = getattr(importlib.import_module(_MODULES[kind][0]), "get", None)
    try:
        return get is not None and get(name) is not None
    except (ValueError, TypeError):  # unknown, or a class that needs arguments
        return False


def _string_table(module):
    """Returns the private table behind Keras' `get(string)`; None, with a warning, if it moved."""
    private = module.replace("keras.", "keras.src.", 1)
    table = getattr(importlib.import_module(private), "ALL_OBJECTS_DICT", None)
    if table is None:
        warnings.warn(
            f"Keras {keras.__version__} has no {private}.ALL_OBJECTS_DICT: names such as "
            f"'kerasdl>...' cannot be given to {module} as strings. Pass the objects that "
            "kerasdl.get returns instead.",
            stacklevel=2,
        )
    return table
