"""Losses: one number per sample from targets and predictions."""

from kerasdl.losses.log_cosh import LogCosh
from kerasdl.losses.logistic_loss import LogisticLoss

__all__ = ["LogCosh", "LogisticLoss"]
