"""Composites: which rule each weighted layer gets."""

import dataclasses

import keras

from xai.lrp.input_rules import Flat, ZBox
from xai.lrp.linear import CONVOLUTIONS, DENSE
from xai.lrp.recurrent import RECURRENT
from xai.lrp.rules import AlphaBeta, Epsilon, Gamma, Relative, Zero, ZPlus
from xai.lrp.selectors import First, check_selector, selects

_WEIGHTED = (*CONVOLUTIONS, *DENSE, *RECURRENT)
_NOT_CONVOLUTIONS = (*DENSE, *RECURRENT)


@dataclasses.dataclass(frozen=True)
class Composite:
    """An assignment of rules to weighted layers; the first entry that matches a layer wins.

    A layer that no entry matches gets `Zero()`: it keeps its own gradient.

    Args:
        entries: Pairs `(selector, rule)`. A selector is a layer class or a tuple of classes, a
            pattern of layer names such as `"block1_*"`, a callable `layer -> bool`, `"first"`,
            `"last"`, or a range of depths, counted in weighted layers: `range(0, 3)` from the
            input, `slice(-2, None)` from the output, `(0.0, 0.5)` as shares of all.
        partial: Whether entries may match no layer of a model; otherwise that is an error.
        bilinear: How a product of activations, as in attention, shares relevance: `"attnlrp"` in
            equal parts, `"cp"` all to the values that a softmax weighs, none to the weights.
        relu_gradient: None for relevance. `"guided"` and `"deconvnet"` make the input's gradient
            instead, backpropagated through ReLUs by the rule of that name.

    Raises:
        TypeError: A selector of another kind, or something that is no rule.
        ValueError: Another word for `bilinear` or `relu_gradient`.

    Example:
        >>> Composite([("head_*", Epsilon(0.25)), (keras.layers.Conv2D, ZPlus())])
    """

    entries: tuple
    partial: bool = False
    bilinear: str = "attnlrp"
    relu_gradient: str | None = None

    def __post_init__(self):
        """Makes the entries a tuple of checked pairs."""
        _require_one_of("bilinear", self.bilinear, ("attnlrp", "cp"))
        _require_one_of("relu_gradient", self.relu_gradient, (None, "guided", "deconvnet"))
        entries = tuple((selector, rule) for selector, rule in self.entries)
        for selector, rule in entries:
            check_selector(selector)
            check_rule(rule)
        object.__setattr__(self, "entries", entries)

    def choose(self, places):
        """Returns the index of the entry for each weighted layer, None where none matches.

        Raises:
            ValueError: An entry matches no layer at all.
        """
        matches = [[selects(selector, place) for place in places] for selector, _ in self.entries]
        idle = [repr(self.entries[i][0]) for i, row in enumerate(matches) if not any(row)]
        if idle and not self.partial:
            names = ", ".join(place.name for place in places)
            raise ValueError(
                f"No weighted layer matches {', '.join(idle)}. The weighted layers are: {names}."
            )
        return [
            next((entry for entry, row in enumerate(matches) if row[index]), None)
            for index in range(len(places))
        ]


def epsilon_plus():
    """LRP-epsilon in dense and recurrent layers, z+ in convolutions.

    z+ in the many layers at the bottom gives clean, non-negative evidence; epsilon in the few
    layers at the top keeps what speaks against the class.

    Source: Kohlbrenner et al. 2020, Towards best practice in explaining neural network decisions
    with LRP (IJCNN); zennit's EpsilonPlus.
    """
    return _preset((CONVOLUTIONS, ZPlus()), (_NOT_CONVOLUTIONS, Epsilon()))


def epsilon_alpha2_beta1():
    """LRP-epsilon in dense layers, alpha-beta with 2 and 1 in convolutions.

    Source: Kohlbrenner et al. 2020; zennit's EpsilonAlpha2Beta1.
    """
    return _preset((CONVOLUTIONS, AlphaBeta(2.0)), (_NOT_CONVOLUTIONS, Epsilon()))


def epsilon_plus_flat():
    """As `epsilon_plus`, with the flat rule in the first weighted layer.

    Flat at the input makes the map as coarse as the first layer's receptive field, independent of
    the pixels' values. Source: as `epsilon_plus`; zennit's EpsilonPlusFlat.
    """
    return _preset((First(_WEIGHTED), Flat()), *epsilon_plus().entries)


def epsilon_alpha2_beta1_flat():
    """As `epsilon_alpha2_beta1`, with the flat rule in the first weighted layer.

    Source: Kohlbrenner et al. 2020; zennit's EpsilonAlpha2Beta1Flat.
    """
    return _preset((First(_WEIGHTED), Flat()), *epsilon_alpha2_beta1().entries)


def epsilon_gamma_box(low, high, gamma=0.25, epsilon=1e-6):
    """ZB in the first convolution, gamma in the others, epsilon in dense layers.

    Args:
        low: The least value of each input, a number or what broadcasts with a row.
        high: The greatest.
        gamma: See `Gamma`.
        epsilon: See `Epsilon`.

    Source: Montavon et al. 2019, Layer-wise relevance propagation: an overview; zennit's
    EpsilonGammaBox.
    """
    return _preset(
        (First(CONVOLUTIONS), ZBox(low, high)),
        (CONVOLUTIONS, Gamma(gamma)),
        (_NOT_CONVOLUTIONS, Epsilon(epsilon)),
    )


def zero_epsilon_gamma(low=None, high=None, gamma=0.25, epsilon=None, split=(0.5, 0.8)):
    """The composite of three zones: gamma at the bottom, epsilon in the middle, zero at the top.

    Near the output many concepts share few units; LRP-0 follows the function closely and keeps
    them apart. In the middle, weights shared over space and stacked layers make gradients noisy;
    epsilon absorbs weak and contradictory contributions. At the bottom the map should be smooth and
    readable; gamma favours what speaks for the class. Pixels lie in a box, not on a half-line, so
    zB takes the input where the box is known.

    Args:
        low: The least value of each input, or None to treat the input as any layer.
        high: The greatest, given if and only if `low` is.
        gamma: See `Gamma`.
        epsilon: See `Epsilon`; default 0.25 times each layer's root mean square.
        split: Where the middle and the top begin, as shares of the model's depth counted in
            weighted layers.

    Raises:
        ValueError: Only one of `low` and `high`, or shares that are not `0 <= a <= b <= 1`.

    Source: Montavon et al. 2019, section 10.3 and fig. 10.5.
    """
    middle, top = split
    if not 0 <= middle <= top <= 1:
        raise ValueError(f"split is two shares 0 <= middle <= top <= 1; received {split!r}.")
    if (low is None) != (high is None):
        raise ValueError(f"A box has a low and a high; received low={low!r}, high={high!r}.")
    box = [] if low is None else [("first", ZBox(low, high))]
    return _preset(
        *box,
        ((0.0, middle), Gamma(gamma)),
        ((middle, top), Epsilon(Relative(0.25) if epsilon is None else epsilon)),
        ((top, 1.0), Zero()),
    )


def excitation_backprop():
    """LRP-z+ in every weighted layer: excitation backprop.

    Source: Zhang et al. 2016, Top-down neural attention by excitation backprop (ECCV); zennit's
    ExcitationBackprop.
    """
    return _preset((_WEIGHTED, ZPlus()))


def guided_backprop():
    """The input's gradient, backpropagated through a ReLU where it and its input are positive.

    No relevance: values are not multiplied by the input and sum to nothing in particular. It is
    here for comparison; Adebayo et al. 2018 (arXiv 1810.03292) found it to hardly depend on the
    weights of the upper layers.

    Source: Springenberg et al. 2014, Striving for simplicity (arXiv 1412.6806).
    """
    return Composite((), relu_gradient="guided")


def deconvnet():
    """The input's gradient, backpropagated through a ReLU where it is positive itself.

    No relevance, see `guided_backprop`.

    Source: Zeiler & Fergus 2014, Visualizing and understanding convolutional networks (ECCV).
    """
    return Composite((), relu_gradient="deconvnet")


def attention(bilinear="attnlrp"):
    """LRP for transformers: epsilon in every weighted layer, products as `bilinear` says.

    AttnLRP takes softmax for what it is, its own gradient, and shares the relevance of each product
    of activations in equal parts: queries and keys get a quarter each, values a half. CP-LRP takes
    the attention weights for constants: values get all. The first is faithful to what queries and
    keys do; the second is smoother, and nearer to leaving tokens out in the later layers
    (arXiv 2510.18810).

    Args:
        bilinear: `"attnlrp"` or `"cp"`.

    Source: Achtibat et al. 2024, AttnLRP (arXiv 2402.05602); Ali et al. 2022, XAI for transformers:
    better explanations through conservative propagation (ICML).
    """
    return Composite(((_WEIGHTED, Epsilon()),), partial=True, bilinear=bilinear)


def _preset(*entries):
    return Composite(entries, partial=True)


PRESETS = {
    "epsilon_plus": epsilon_plus,
    "epsilon_alpha2_beta1": epsilon_alpha2_beta1,
    "epsilon_plus_flat": epsilon_plus_flat,
    "epsilon_alpha2_beta1_flat": epsilon_alpha2_beta1_flat,
    "zero_epsilon_gamma": zero_epsilon_gamma,
    "excitation_backprop": excitation_backprop,
    "guided_backprop": guided_backprop,
    "deconvnet": deconvnet,
    "attention": attention,
}


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
                f"{', '.join(map(repr, PRESETS))}, and xai.composites those that need arguments. "
                "Or pass xai.Composite([(selector, rule), ...])."
            )
        return PRESETS[composite]()
    return _preset((keras.layers.Layer, check_rule(composite)))


def check_rule(rule):
    """Returns a rule, or refuses what is none."""
    if not (callable(rule) and hasattr(rule, "prepare")) or isinstance(rule, type):
        raise TypeError(
            f"Expected a rule such as xai.rules.Epsilon(1e-6), a composite or a preset's name; "
            f"received {rule!r}."
        )
    return rule


def _require_one_of(name, value, words):
    if value not in words:
        choices = ", ".join(map(repr, words))
        raise ValueError(f"{name} is one of {choices}; received {value!r}.")
