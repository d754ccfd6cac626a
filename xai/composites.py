"""The ready composites of layer-wise relevance propagation."""

from xai.lrp.composites import (
    epsilon_alpha2_beta1,
    epsilon_alpha2_beta1_flat,
    epsilon_gamma_box,
    epsilon_plus,
    epsilon_plus_flat,
    zero_epsilon_gamma,
)

__all__ = [
    "epsilon_alpha2_beta1",
    "epsilon_alpha2_beta1_flat",
    "epsilon_gamma_box",
    "epsilon_plus",
    "epsilon_plus_flat",
    "zero_epsilon_gamma",
]
