"""Regularizers: penalties on weights or activities."""

from kerasdl.regularizers.group_lasso import GroupLasso
from kerasdl.regularizers.kl_sparsity import KLSparsity
from kerasdl.regularizers.mixed_norm import MixedNorm
from kerasdl.regularizers.soft_orthogonal import SoftOrthogonal
from kerasdl.regularizers.spectral_norm_regularizer import SpectralNormRegularizer

__all__ = ["GroupLasso", "KLSparsity", "MixedNorm", "SoftOrthogonal", "SpectralNormRegularizer"]
