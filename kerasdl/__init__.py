"""Keras components that plug into existing models by name.

>>> model.compile(optimizer="kerasdl>EMAMomentumSGD", loss="kerasdl>LogCosh")
"""

from kerasdl import keras_names
from kerasdl.registry import describe, get, lookup, names, register
from kerasdl.saving import load_model

# The shelves: importing them registers their components.
from kerasdl import (  # isort: skip
    activations,
    callbacks,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    regularizers,
    schedules,
)
from kerasdl import testing  # isort: skip

keras_names.mend_compile_from_config()

__version__ = "0.1.0"

__all__ = [
    "activations",
    "callbacks",
    "constraints",
    "describe",
    "get",
    "initializers",
    "layers",
    "load_model",
    "lookup",
    "losses",
    "metrics",
    "names",
    "optimizers",
    "register",
    "regularizers",
    "schedules",
    "testing",
]
