"""Elementwise operations among zeros that have relevance, below a rule that probes.

There each value counts as at least 1e-12, so that an operation's own gradient would scale the
relevance of dead units by whatever it scales values by, or hand a sum's to each summand in full.
"""

from keras import tree

from xai.graph import Tensor
from xai.lrp.steering import floor, redirect


def share_among_factors(node, args, kwargs, shares):
    """Returns a product that hands each factor its share of the relevance.

    Args:
        node: The node of an elementwise product or quotient; factors with a share have the shape
            of its output.
        args: The values of its positional arguments.
        kwargs: The values of its keyword arguments.
        shares: The share of each factor.
    """
    y = node.operation(*args, **kwargs)
    pairs = zip(tensors(node, args, kwargs), shares, strict=True)
    return redirect(
        y, *[(factor, share * floor(y) / floor(factor)) for factor, share in pairs if share]
    )


def share_among_summands(node, args, kwargs, signs):
    """Returns a sum that hands each summand the relevance in proportion to it; zeros share alike.

    Args:
        node: The node of a sum or difference of tensors of one shape.
        args: The values of its positional arguments.
        kwargs: The values of its keyword arguments.
        signs: 1 for each summand, -1 for one that is subtracted.
    """
    y = node.operation(*args, **kwargs)
    pairs = list(zip(tensors(node, args, kwargs), signs, strict=True))
    share = floor(y) / floor(sum(floor(sign * summand) for summand, sign in pairs))
    return redirect(
        y, *[(summand, share * floor(sign * summand) / floor(summand)) for summand, sign in pairs]
    )


def have_one_shape(node, chosen=None):
    """Whether the tensors that a node reads, or those chosen by a mask, have its output's shape."""
    chosen = [True] * len(node.inputs) if chosen is None else chosen
    return all(
        place.shape == node.outputs[0].shape
        for place, is_chosen in zip(node.inputs, chosen, strict=True)
        if is_chosen
    )


def tensors(node, args, kwargs):
    """Returns the values among a node's arguments that come from other nodes."""
    places = tree.flatten((node.args, node.kwargs))
    values = tree.flatten((args, kwargs))
    return [v for place, v in zip(places, values, strict=True) if isinstance(place, Tensor)]
