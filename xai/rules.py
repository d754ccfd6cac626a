"""The rules of layer-wise relevance propagation."""

from xai.lrp.input_rules import Flat, WSquare, ZBox
from xai.lrp.rules import (
    AlphaBeta,
    Epsilon,
    Gamma,
    Pass,
    Relative,
    Zero,
    ZPlus,
)

__all__ = [
    "AlphaBeta",
    "Epsilon",
    "Flat",
    "Gamma",
    "Pass",
    "Relative",
    "WSquare",
    "ZBox",
    "ZPlus",
    "Zero",
]
