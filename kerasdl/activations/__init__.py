"""Activations: functions of one tensor."""

from kerasdl.activations.heaviside import heaviside
from kerasdl.activations.lecun_tanh import lecun_tanh

__all__ = ["heaviside", "lecun_tanh"]
