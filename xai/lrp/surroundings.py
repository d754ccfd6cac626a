"""What the graph knows of a node's surroundings: depth, signs, and where zeros carry relevance."""

import functools

import keras
import numpy as np
from keras import tree

from xai.lrp.linear import LinearMap
from xai.lrp.operations import (
    cuts_gradient,
    is_arithmetic,
    is_lookup,
    is_nonnegative,
    is_plain_relu,
    is_scaling,
    is_transparent,
    keeps_sign,
)
from xai.lrp.precision import raised
from xai.lrp.recurrent import RecurrentMap
from xai.lrp.selectors import Place
from xai.lrp.steering import Site


def weighted_places(graph):
    """Returns, for each weighted node of a canonized graph, the place that selectors see."""
    before = {}  # what precedes a tensor: layers, and the number of them on the longest way
    nodes = {}
    for node in graph.nodes:
        known = [before.get(place, (frozenset(), 0)) for place in node.inputs]
        layers = frozenset().union(*(layers for layers, _ in known))
        depth = max((depth for _, depth in known), default=0)
        if isinstance(node.operation, LinearMap | RecurrentMap):
            nodes[node] = (layers, depth)
            layers, depth = layers | {node.operation.layer}, depth + 1
        before.update(dict.fromkeys(node.outputs, (layers, depth)))
    depths = max((depth for _, depth in nodes.values()), default=-1) + 1
    return {
        node: Place(node.operation.layer, node.name, depth, depths, layers)
        for node, (layers, depth) in nodes.items()
    }


def live_places(graph):
    """Returns the tensors of a graph that have a gradient path from an input, tokens included."""
    live = set(tree.flatten(graph.inputs))
    for node in graph.nodes:
        if not cuts_gradient(node.operation) and live.intersection(node.inputs):
            live.update(place for place in node.outputs if place.dtype != "bool")
    return live


def reached_nodes(graph, shares):
    """Returns the nodes of a graph at which relevance may arrive.

    Args:
        graph: A graph.
        shares: The shares of the factors of each product; what gets none passes none down.
    """
    reached = set(tree.flatten(graph.outputs))
    nodes = set()
    for node in reversed(graph.nodes):
        if reached.intersection(node.outputs):
            nodes.add(node)
            given = shares.get(node, [1] * len(node.inputs))
            reached.update(p for p, share in zip(node.inputs, given, strict=True) if share)
    return nodes


def nonnegative_places(graph):
    """Returns the tensors of a canonized graph that are non-negative whatever the input is."""
    known = set()
    for node in graph.nodes:
        keeps = keeps_sign(node) and known.issuperset(node.inputs)
        if keeps or is_nonnegative(node.operation):
            known.update(node.outputs)
    return known


def preprocessing(graph):
    """Returns the nodes that scale or shift an input, element by element, before all else.

    They pass relevance on unchanged, as preprocessing layers do wherever they stand.
    """
    known = set(tree.flatten(graph.inputs))
    found = set()
    for node in graph.nodes:
        if is_scaling(node.operation) or (is_arithmetic(node) and known.issuperset(node.inputs)):
            found.add(node)
        if _moves(node) and known.issuperset(node.inputs):
            known.update(node.outputs)
    return found


def probed_places(graph, rules, scalings):
    """Returns the tensors that may have relevance where they are zero.

    A rule that probes gives it to its input, and so do preprocessing, whose offset may turn a zero
    into something else, and an embedding, to whatever token. Activations and layers that pass
    values on hand it down to what they read, until a weighted layer redistributes it.
    """
    probed = set()

    def hands_down(node):
        if node in rules:
            return rules[node].probes
        return node in scalings or is_lookup(node) or probed.intersection(node.outputs)

    for node in reversed(graph.nodes):
        if hands_down(node):
            probed.update(node.inputs)
    return probed


def _moves(node):
    """Whether a node reads one tensor, and scales, shifts, moves or pads its elements."""
    operation = node.operation
    passes = is_transparent(operation) and not is_plain_relu(operation)
    return len(node.inputs) == 1 and (passes or is_scaling(operation) or is_arithmetic(node))


def rectified_places(graph, probed):
    """Returns the outputs of linear maps that only ReLUs read, none of these with a probed output.

    A recurrent layer's rule acts on its signal, which is not what its readers read.
    """
    returned = tree.flatten(graph.outputs)

    def is_rectifying(node):
        return is_plain_relu(node.operation) and node.outputs[0] not in probed

    def is_rectified(place):
        readers = graph.readers[place]
        return readers and place not in returned and all(map(is_rectifying, readers))

    linear = [node for node in graph.nodes if isinstance(node.operation, LinearMap)]
    return {node.outputs[0] for node in linear if is_rectified(node.outputs[0])}


def sites_of(graph, rules, probed, rectified):
    """Returns what the rule of each weighted node may take for granted."""
    nonnegative = nonnegative_places(graph)

    def reads_nonnegative(node):  # the state that a recurrent layer reads too has both signs
        return isinstance(node.operation, LinearMap) and nonnegative.issuperset(node.inputs)

    return {
        node: Site(
            reads_nonnegative(node),
            node.outputs[0] in rectified,
            node.outputs[0] in probed,
            functools.partial(_image_of_bound, node=node, graph=graph),
        )
        for node in rules
    }


def _image_of_bound(bound, node, graph):
    """Returns what a bound on the model's input is as a bound on a node's input, one row.

    Where more than scaling, moving and padding lies between, the bound is taken as it is. What a
    negative scale turns round is for the caller to sort.

    Raises:
        ValueError: The bound would have to be moved or padded in an input of unknown size.
    """
    chain = []
    (place, *_) = node.inputs
    while (maker := graph.producer(place)) is not None:
        if not _moves(maker):
            return bound
        chain.append(maker)
        (place,) = maker.inputs
    if not chain:
        return bound
    if None in place.shape[1:] and any(is_transparent(maker.operation) for maker in chain):
        raise ValueError(
            f"A box for {node.name!r} has to be padded or moved as its input is, of unknown size "
            f"{place.shape}. Build the model with a fixed input shape."
        )
    row = [1, *(size or 1 for size in place.shape[1:])]
    value = np.broadcast_to(np.asarray(bound, raised(place.dtype)), row)
    value = keras.ops.convert_to_tensor(np.ascontiguousarray(value))
    for maker in reversed(chain):
        args, kwargs = maker.fill({maker.inputs[0].key: value})
        value = maker.operation(*args, **kwargs)
    return keras.ops.convert_to_numpy(value)[0]
