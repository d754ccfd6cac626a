"""Schedules: the learning rate by step."""

from kerasdl.schedules.cyclical import Cyclical
from kerasdl.schedules.inverse_sqrt import InverseSqrt
from kerasdl.schedules.linear_warmup import LinearWarmup
from kerasdl.schedules.one_cycle import OneCycle
from kerasdl.schedules.robbins_monro import RobbinsMonro
from kerasdl.schedules.warmup_stable_decay import WarmupStableDecay

__all__ = [
    "Cyclical",
    "InverseSqrt",
    "LinearWarmup",
    "OneCycle",
    "RobbinsMonro",
    "WarmupStableDecay",
]
