"""Keras components that plug into existing models by name.

>>> model.compile(optimizer="kerasdl>EMAMomentumSGD", loss="kerasdl>LogCosh")
"""

from kerasdl.registry import describe, get, lookup, names, register
from kerasdl.saving import load_model

# The shelves: importing them registers their components.
from kerasdl import activations, initializers, layers, losses, optimizers, regularizers  # isort: skip

__version__ = "0.1.0"

__all__ = [
    "activations",
    "describe",
    "get",
    "initializers",
    "layers",
    "load_model",
    "lookup",
    "losses",
    "names",
    "optimizers",
    "register",
    "regularizers",
]
