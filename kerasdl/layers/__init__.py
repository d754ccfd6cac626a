"""Layers."""

from kerasdl.layers.corruption_noise import CorruptionNoise
from kerasdl.layers.gradient_reversal import GradientReversal
from kerasdl.layers.initial_state import InitialState
from kerasdl.layers.instance_normalization import InstanceNormalization
from kerasdl.layers.k_sparse import KSparse
from kerasdl.layers.layer_scale import LayerScale
from kerasdl.layers.mc_dropout import MCDropout
from kerasdl.layers.region_mask import RegionMask
from kerasdl.layers.residual import Residual
from kerasdl.layers.sinusoidal_positions import SinusoidalPositions
from kerasdl.layers.spectral_normalization import SpectralNormalization
from kerasdl.layers.stochastic_depth import StochasticDepth
from kerasdl.layers.tied_qk_attention import TiedQKAttention
from kerasdl.layers.weight_normalization import WeightNormalization
from kerasdl.layers.whitening import Whitening

__all__ = [
    "CorruptionNoise",
    "GradientReversal",
    "InitialState",
    "InstanceNormalization",
    "KSparse",
    "LayerScale",
    "MCDropout",
    "RegionMask",
    "Residual",
    "SinusoidalPositions",
    "SpectralNormalization",
    "StochasticDepth",
    "TiedQKAttention",
    "WeightNormalization",
    "Whitening",
]
