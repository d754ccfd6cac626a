"""Constraints: what weights must keep to."""

__all__ = []
