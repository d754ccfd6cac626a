"""Losses: one number per sample from targets and predictions."""

from kerasdl.losses.contrastive import Contrastive
from kerasdl.losses.expected_cost import ExpectedCost
from kerasdl.losses.gaussian_nll import GaussianNLL
from kerasdl.losses.huber import Huber
from kerasdl.losses.log_cosh import LogCosh
from kerasdl.losses.logistic_loss import LogisticLoss
from kerasdl.losses.perceptron_loss import PerceptronLoss
from kerasdl.losses.pinball import Pinball
from kerasdl.losses.quality_weighted import QualityWeighted
from kerasdl.losses.supervised_contrastive import SupervisedContrastive
from kerasdl.losses.triplet import Triplet

__all__ = [
    "Contrastive",
    "ExpectedCost",
    "GaussianNLL",
    "Huber",
    "LogCosh",
    "LogisticLoss",
    "PerceptronLoss",
    "Pinball",
    "QualityWeighted",
    "SupervisedContrastive",
    "Triplet",
]
