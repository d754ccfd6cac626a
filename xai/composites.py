"""The ready composites of layer-wise relevance propagation."""

from xai.lrp.composites import epsilon_plus

__all__ = ["epsilon_plus"]
