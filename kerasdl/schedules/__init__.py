"""Schedules: the learning rate by step."""

__all__ = []
