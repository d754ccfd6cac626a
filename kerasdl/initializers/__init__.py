"""Initializers: the first values of weights."""

from kerasdl.initializers.gain_initializer import GainInitializer

__all__ = ["GainInitializer"]
