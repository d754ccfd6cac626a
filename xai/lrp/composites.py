"""Composites: which rule each weighted layer gets."""

import dataclasses
import fnmatch

import keras

from xai.lrp.linear import CONVOLUTIONS
from xai.lrp.rules import Epsilon, ZPlus


@dataclasses.dataclass(frozen=True, init=False)
class Composite:
    """An assignment of rules to weighted layers; the first entry that matches a layer wins.

    Args:
        entries: Pairs `(selector, rule)`. A selector is a layer class or a tuple of classes, a
            pattern of layer names such as `"block1_*"`, or a callable `layer -> bool`.

    Raises:
        TypeError: A selector of another kind, or something that is no rule.

    Example:
        >>> Composite([("head_*", Epsilon(0.25)), (keras.layers.Conv2D, ZPlus())])
    """

    entries: tuple

    def __init__(self, entries):
        entries = tuple((selector, rule) for selector, rule in entries)
        for selector, rule in entries:
            _check_selector(selector)
            check_rule(rule)
        object.__setattr__(self, "entries", entries)

    def rule_for(self, layer, name):
        """Returns the rule of a layer and the selector that chose it, or `(None, None)`."""
        for selector, rule in self.entries:
            if _matches(selector, layer, name):
                return rule, selector
        return None, None


def epsilon_plus():
    """LRP-epsilon in dense layers, z+ in convolutions.

    z+ in the many layers at the bottom gives clean, non-negative evidence; epsilon in the few
    layers at the top keeps what speaks against the class.

    Source: Kohlbrenner et al. 2020, Towards best practice in explaining neural network decisions
    with LRP (IJCNN), "LRP-CMP"; zennit's EpsilonPlus.
    """
    return Composite([(CONVOLUTIONS, ZPlus()), (keras.layers.Dense, Epsilon())])


PRESETS = {"epsilon_plus": epsilon_plus}


def resolve(composite):
    """Returns a Composite from a preset's name, a Composite, or a rule for every weighted layer.

    Raises:
        ValueError: An unknown preset.
        TypeError: None of the three.
    """
    if isinstance(composite, Composite):
        return composite
    if isinstance(composite, str):
        if composite not in PRESETS:
            raise ValueError(
                f"No composite preset is called {composite!r}; this version has "
                f"{', '.join(map(repr, PRESETS))}. Or pass xai.Composite([(selector, rule), ...])."
            )
        return PRESETS[composite]()
    return Composite([(keras.layers.Layer, check_rule(composite))])


def check_rule(rule):
    """Returns a rule, or refuses what is none."""
    if not (callable(rule) and hasattr(rule, "prepare")) or isinstance(rule, type):
        raise TypeError(
            f"Expected a rule such as xai.rules.Epsilon(1e-6), a composite or a preset's name; "
            f"received {rule!r}."
        )
    return rule


def _check_selector(selector):
    classes = selector if isinstance(selector, tuple) else (selector,)
    if isinstance(selector, str) or callable(selector):
        return
    if not all(isinstance(cls, type) for cls in classes):
        raise TypeError(
            "A selector is a layer class, a tuple of classes, a pattern of layer names or a "
            f"callable layer -> bool; received {selector!r}."
        )


def _matches(selector, layer, name):
    if isinstance(selector, str):
        return fnmatch.fnmatchcase(name, selector) or fnmatch.fnmatchcase(layer.name, selector)
    if isinstance(selector, type | tuple):
        return isinstance(layer, selector)
    return selector(layer)
