"""Products of activations: their own gradient would hand the relevance to each factor in full.

Source: Achtibat et al. 2024, AttnLRP (arXiv 2402.05602), propositions 3.2 and 3.3, for equal
shares; Ali et al. 2022 (ICML) for CP-LRP, which takes attention weights for constants; Arras et al.
2017 (arXiv 1706.07206) for gates.
"""

import keras
from keras import ops, tree

from xai.graph import Tensor
from xai.lrp.operations import is_bounded, is_inverse, is_softmax, is_transparent, op_name
from xai.lrp.steering import scale_gradient

_LAYERS = (keras.layers.Multiply, keras.layers.Dot)
_OPS = frozenset(
    [
        *("Multiply", "Matmul", "Dot", "Einsum", "Tensordot", "Inner", "Outer", "Vdot"),
        *("Conv", "ConvTranspose", "DepthwiseConv", "SeparableConv"),
    ]
)
_ATTENTION = frozenset(["DotProductAttention"])  # softmax(q k^T) v: a product of two products
_QUOTIENTS = frozenset(["Divide", "TrueDivide", "DivideNoNan"])


def is_product(operation):
    """Whether an operation multiplies or divides what it reads."""
    return isinstance(operation, _LAYERS) or op_name(operation) in _OPS | _ATTENTION | _QUOTIENTS


def is_elementwise(operation):
    """Whether a product's output has a place for each of a factor's."""
    name = op_name(operation)
    return isinstance(operation, keras.layers.Multiply) or name == "Multiply" or name in _QUOTIENTS


def factor_shares(node, graph, live, bilinear):
    """Returns the share of the relevance that each factor of a product gets, in their order.

    A gate gets nothing and leaves all to the signal that it scales: a factor that comes from a
    bounded activation such as a sigmoid, if another factor does not. So do a divisor, what has no
    gradient, and, if `bilinear` is `"cp"`, a softmax. Factors of one kind share alike; a constant
    is none.

    Args:
        node: A product or quotient.
        graph: Its graph.
        live: The tensors that have a gradient path from an input.
        bilinear: `"attnlrp"` or `"cp"`.
    """
    if op_name(node.operation) in _ATTENTION:
        shares = (0.0, 0.0, 1.0) if bilinear == "cp" else (0.25, 0.25, 0.5)
        return [*shares, *[0.0] * (len(node.inputs) - 3)]  # what follows are masks
    factors = node.inputs
    if op_name(node.operation) in _QUOTIENTS:
        passive = [place is not node.args[0] for place in factors]
    else:
        passive = [place not in live or _is_gate(place, graph, bilinear) for place in factors]
    active = passive.count(False)
    if active == 0:
        return [1 / len(factors)] * len(factors)
    return [0.0 if is_passive else 1 / active for is_passive in passive]


def run_product(node, args, kwargs, shares):
    """Returns the product, each factor's gradient scaled by its share."""
    remaining = iter(shares)
    template = tree.flatten((node.args, node.kwargs))
    values = tree.flatten((args, kwargs))
    scaled = [
        _with_share(value, next(remaining)) if isinstance(place, Tensor) else value
        for place, value in zip(template, values, strict=True)
    ]
    args, kwargs = tree.pack_sequence_as((args, kwargs), scaled)
    return node.operation(*args, **kwargs)


def _with_share(x, share):
    if share in (0, 1):
        return x if share else ops.stop_gradient(x)
    return scale_gradient(x, share)


def _is_gate(place, graph, bilinear):
    """Whether a tensor comes from a bounded activation, an inverse or a mask.

    In between it may be reshaped, or scaled by constants.
    """
    while place.dtype != "bool":
        node = graph.producer(place)
        if node is None:
            return False
        if is_bounded(node.operation) or is_inverse(node.operation):
            return True
        if bilinear == "cp" and is_softmax(node.operation):
            return True
        passes = is_transparent(node.operation) or is_product(node.operation)
        if len(node.inputs) != 1 or not passes:
            return False
        (place,) = node.inputs
    return True
