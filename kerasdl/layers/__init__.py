"""Layers."""

from kerasdl.layers.gradient_reversal import GradientReversal

__all__ = ["GradientReversal"]
