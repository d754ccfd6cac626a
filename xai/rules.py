"""The rules of layer-wise relevance propagation."""

from xai.lrp.rules import (
    AlphaBeta,
    Epsilon,
    Flat,
    Gamma,
    Pass,
    Relative,
    WSquare,
    ZBox,
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
