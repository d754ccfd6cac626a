"""Densities over inputs, fitted on data: what an ascent takes for likely."""

from xai.activation_maximization.priors.denoiser import Denoiser
from xai.activation_maximization.priors.density_model import DensityModel
from xai.activation_maximization.priors.gaussian import Gaussian
from xai.activation_maximization.priors.gaussian_mixture import GaussianMixture
from xai.activation_maximization.priors.low_rank_gaussian import LowRankGaussian
from xai.activation_maximization.priors.norm import Norm
from xai.activation_maximization.priors.patch_mixture import PatchMixture
from xai.activation_maximization.priors.prior import Prior
from xai.activation_maximization.priors.spectral import Spectral
from xai.activation_maximization.priors.tabular import Tabular
from xai.activation_maximization.priors.total_variation import TotalVariation

__all__ = [
    "Denoiser",
    "DensityModel",
    "Gaussian",
    "GaussianMixture",
    "LowRankGaussian",
    "Norm",
    "PatchMixture",
    "Prior",
    "Spectral",
    "Tabular",
    "TotalVariation",
]
