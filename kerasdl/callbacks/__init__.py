"""Callbacks: what watches a training, and what acts on it."""

__all__ = []
