"""Explanations of trained Keras models."""

from xai import attribution
