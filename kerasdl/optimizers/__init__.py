"""Optimizers: from gradients to steps."""

from kerasdl.optimizers.ada_belief import AdaBelief
from kerasdl.optimizers.adan import Adan
from kerasdl.optimizers.adopt import ADOPT
from kerasdl.optimizers.ema_momentum_sgd import EMAMomentumSGD
from kerasdl.optimizers.gradient_transform import GradientTransform
from kerasdl.optimizers.lars import LARS
from kerasdl.optimizers.lookahead import Lookahead
from kerasdl.optimizers.prodigy import Prodigy
from kerasdl.optimizers.radam import RAdam
from kerasdl.optimizers.schedule_free_adamw import ScheduleFreeAdamW
from kerasdl.optimizers.schedule_free_sgd import ScheduleFreeSGD
from kerasdl.optimizers.sharpness_aware import SharpnessAware

__all__ = [
    "ADOPT",
    "LARS",
    "AdaBelief",
    "Adan",
    "EMAMomentumSGD",
    "GradientTransform",
    "Lookahead",
    "Prodigy",
    "RAdam",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "SharpnessAware",
]
