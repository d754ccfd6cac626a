"""Regularizers: penalties on weights or activities."""

from kerasdl.regularizers.mixed_norm import MixedNorm

__all__ = ["MixedNorm"]
