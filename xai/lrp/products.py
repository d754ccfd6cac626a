"""Products of activations: their own gradient would hand the relevance to each factor in full."""

import keras
from keras import ops, tree

from xai.graph import Tensor
from xai.lrp.operations import is_bounded, is_transparent, op_name

_LAYERS = (keras.layers.Multiply, keras.layers.Dot)
_OPS = frozenset(["Multiply", "Matmul", "Dot", "Einsum", "Tensordot", "Inner", "Outer", "Vdot"])
_QUOTIENTS = frozenset(["Divide", "TrueDivide", "DivideNoNan"])


def is_product(operation):
    """Whether an operation multiplies or divides what it reads."""
    return isinstance(operation, _LAYERS) or op_name(operation) in _OPS | _QUOTIENTS


def factor_shares(node, graph):
    """Returns the share of the relevance that each factor of a product gets, in their order.

    A gate gets nothing and leaves all to the signal that it scales: a factor that comes from a
    bounded activation such as a sigmoid, if another factor does not. So does a divisor. Factors of
    one kind share alike; a constant is none.

    Source: Arras et al. 2017 (arXiv 1706.07206) for gates; Achtibat et al. 2024 (arXiv 2402.05602),
    proposition 3.2, for equal shares.
    """
    factors = node.inputs
    if op_name(node.operation) in _QUOTIENTS:
        passive = [place is not node.args[0] for place in factors]
    else:
        passive = [_is_gate(place, graph) for place in factors]
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
        _scale_gradient(value, next(remaining)) if isinstance(place, Tensor) else value
        for place, value in zip(template, values, strict=True)
    ]
    args, kwargs = tree.pack_sequence_as((args, kwargs), scaled)
    return node.operation(*args, **kwargs)


def _scale_gradient(x, share):
    if share == 1:
        return x
    return share * x + ops.stop_gradient((1 - share) * x)


def _is_gate(place, graph):
    """Whether a tensor comes from a bounded activation, reshaped or scaled by constants at most."""
    node = graph.producer(place)
    while node is not None and not is_bounded(node.operation):
        passes = is_transparent(node.operation) or is_product(node.operation)
        if len(node.inputs) != 1 or not passes:
            return False
        node = graph.producer(node.inputs[0])
    return node is not None
