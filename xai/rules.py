"""The rules of layer-wise relevance propagation."""

from xai.lrp.rules import Epsilon, ZPlus

__all__ = ["Epsilon", "ZPlus"]
