"""Constraints: what weights must keep to."""

from kerasdl.constraints.frobenius_norm_constraint import FrobeniusNormConstraint
from kerasdl.constraints.spectral_norm_constraint import SpectralNormConstraint

__all__ = ["FrobeniusNormConstraint", "SpectralNormConstraint"]
