"""Layer-wise relevance propagation."""

from xai.lrp.engine import LRP

__all__ = ["LRP"]
