"""Makes `"package>Name"` known to Keras: for saving, for loading, and as a string."""

import difflib
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


def nearest_built_in(short_name, kind):
    """Returns the public paths of Keras' own objects of nearly this name, of any kind."""
    paths = {}
    for other, (module, _) in _MODULES.items():
        for name, value in vars(importlib.import_module(module)).items():
            public = inspect.isclass(value) or (other == "activation" and inspect.isfunction(value))
            if public and not name.startswith("_"):
                paths.setdefault(name.lower(), []).append((other != kind, f"{module}.{name}"))
    plain = short_name.replace("_", "").lower()
    near = difflib.get_close_matches(plain, paths, n=2, cutoff=0.8)
    return [path for name in near for _, path in sorted(paths[name])[:1]]


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
