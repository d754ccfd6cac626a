"""Explanations of trained Keras models.

>>> attribution = xai.LRP(model, composite="epsilon_plus")(x)
>>> xai.plot.heatmap(attribution)
"""

import importlib

from xai import composites, objectives, parameterizations, priors, rules, shapley, transforms
from xai.activation_maximization import ActivationMaximization
from xai.attribution import Attribution
from xai.explain import explain
from xai.lrp import LRP
from xai.lrp.composites import Composite
from xai.shapley import SampledShapley

__all__ = [
    "LRP",
    "ActivationMaximization",
    "Attribution",
    "Composite",
    "SampledShapley",
    "composites",
    "explain",
    "objectives",
    "parameterizations",
    "plot",
    "priors",
    "rules",
    "shapley",
    "transforms",
]


def __getattr__(name):
    """Imports `xai.plot`, and with it matplotlib, when it is first used."""
    if name == "plot":
        return importlib.import_module("xai.plot")
    raise AttributeError(f"module 'xai' has no attribute {name!r}")
