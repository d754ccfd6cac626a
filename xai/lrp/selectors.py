"""Selectors: which weighted layers an entry of a composite is for."""

import dataclasses
import fnmatch
import math

import keras


@dataclasses.dataclass(frozen=True)
class Place:
    """A weighted layer as selectors see it.

    Attributes:
        layer: The Keras layer.
        name: Its name, prefixed by those of the models it is nested in.
        depth: The greatest number of weighted layers on a way from an input to it.
        depths: The number of depths in the model.
        before: The layers that precede it in the data flow.
    """

    layer: object
    name: str
    depth: int
    depths: int
    before: frozenset


@dataclasses.dataclass(frozen=True)
class First:
    """The layers of some classes that no other such layer precedes in the data flow."""

    classes: tuple

    def __str__(self):
        """Names itself in a summary."""
        return "the first of its kind"

    def __call__(self, place):
        """Whether the place is selected."""
        earlier = any(isinstance(layer, self.classes) for layer in place.before)
        return isinstance(place.layer, self.classes) and not earlier


def selects(selector, place):
    """Returns whether a selector of a composite is for a weighted layer.

    Args:
        selector: A layer class or a tuple of classes; a pattern of names such as `"block1_*"`, with
            or without the names of the models that the layer is nested in; a callable
            `layer -> bool`; `"first"` or `"last"`; a range of depths, `range(0, 3)` counted from
            the input, `slice(-2, None)` from the output, or `(0.0, 0.5)` as shares of all depths,
            the end excluded; or a `First`.
        place: The layer and where it stands.
    """
    if isinstance(selector, First):
        return selector(place)
    if selector == "first":
        return place.depth == 0
    if selector == "last":
        return place.depth == place.depths - 1
    if isinstance(selector, str):
        return any(fnmatch.fnmatchcase(name, selector) for name in (place.name, place.layer.name))
    if isinstance(selector, range | slice) or _are_shares(selector):
        return place.depth in _depths(selector, place.depths)
    if isinstance(selector, type | tuple):
        return isinstance(place.layer, selector)
    return bool(selector(place.layer))


def check_selector(selector):
    """Refuses what is no selector.

    Raises:
        TypeError: It is of no known form.
    """
    if isinstance(selector, range | slice) or _are_shares(selector):
        return
    classes = selector if isinstance(selector, tuple) else (selector,)
    are_layers = all(isinstance(c, type) and issubclass(c, keras.layers.Layer) for c in classes)
    is_other = isinstance(selector, str) or (callable(selector) and not isinstance(selector, type))
    if not (are_layers and classes) and not is_other:
        raise TypeError(
            "A selector is a layer class, a tuple of classes, a pattern of layer names, a callable "
            "layer -> bool, 'first', 'last', or a range of depths: range(0, 3), slice(-2, None) or "
            f"shares such as (0.0, 0.5); received {selector!r}."
        )


def _are_shares(selector):
    return (
        isinstance(selector, tuple)
        and len(selector) == 2
        and all(isinstance(share, int | float) and 0 <= share <= 1 for share in selector)
    )


def _depths(selector, depths):
    """Returns the depths that a range means in a model of so many."""
    if isinstance(selector, range):
        return selector
    if isinstance(selector, slice):
        return range(depths)[selector]
    start, stop = (math.floor(share * depths + 0.5) for share in selector)
    return range(start, stop)
