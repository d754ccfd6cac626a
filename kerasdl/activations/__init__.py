"""Activations: functions of one tensor."""

from kerasdl.activations.lecun_tanh import lecun_tanh

__all__ = ["lecun_tanh"]
