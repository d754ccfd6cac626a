"""Initializers: the first values of weights."""

from kerasdl.initializers.delta_orthogonal import DeltaOrthogonal
from kerasdl.initializers.gain_initializer import GainInitializer
from kerasdl.initializers.lsuv import lsuv

__all__ = ["DeltaOrthogonal", "GainInitializer", "lsuv"]
