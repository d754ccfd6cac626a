"""Optimizers: from gradients to steps."""

from kerasdl.optimizers.ema_momentum_sgd import EMAMomentumSGD

__all__ = ["EMAMomentumSGD"]
