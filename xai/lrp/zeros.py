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
    given = [
        (value, share)
        for value, share in zip(tensors(node, args, kwargs), shares, strict=True)
        if share
    ]
    factors, shares = zip(*given, strict=True)

    def gradients(given, y, *factors):
        pairs = zip(factors, shares, strict=True)
        return [given * (share * floor(y) / floor(factor)) for factor, share in pairs]

    return redirect(gradients, node.operation(*args, **kwargs), *factors)


def share_among_summands(node, args, kwargs, signs):
    """Returns a sum that hands each summand the relevance in proportion to it; zeros share alike.

    Args:
        node: The node of a sum or difference of tensors of one shape.
        args: The values of its positional arguments.
        kwargs: The values of its keyword arguments.
        signs: 1 for each summand, -1 for one that is subtracted.
    """

    def gradients(given, y, *summands):
        pairs = list(zip(summands, signs, strict=True))
        share = given * (floor(y) / floor(sum(floor(sign * summand) for summand, sign in pairs)))
        return [share * (floor(sign * summand) / floor(summand)) for summand, sign in pairs]

    summands = tensors(node, args, kwargs)
    return redirect(gradients, node.operation(*args, **kwargs), *summands)


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
