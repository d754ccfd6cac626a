"""What the graph knows of a node's surroundings: depth, signs, and where zeros carry relevance."""

from xai.lrp.linear import LinearMap
from xai.lrp.operations import (
    is_embedding,
    is_nonnegative,
    is_plain_relu,
    is_scaling,
    keeps_sign,
)
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


def nonnegative_places(graph):
    """Returns the tensors of a canonized graph that are non-negative whatever the input is."""
    known = set()
    for node in graph.nodes:
        keeps = keeps_sign(node) and known.issuperset(node.inputs)
        if keeps or is_nonnegative(node.operation):
            known.update(node.outputs)
    return known


def probed_places(graph, rules):
    """Returns the tensors that may have relevance where they are zero.

    A rule that probes gives it to its input, and so do preprocessing, whose offset may turn a zero
    into something else, and an embedding, to whatever token. Activations and layers that pass
    values on hand it down to what they read, until a weighted layer redistributes it.
    """
    probed = set()
    for node in reversed(graph.nodes):
        if node in rules:
            if rules[node].probes:
                probed.update(node.inputs)
        elif _probes(node.operation) or probed.intersection(node.outputs):
            probed.update(node.inputs)
    return probed


def _probes(operation):
    return is_scaling(operation) or is_embedding(operation)


def sites_of(graph, rules, probed):
    """Returns what the rule of each weighted node may take for granted."""
    nonnegative = nonnegative_places(graph)

    def is_rectified(place):
        readers = graph.readers[place]
        return bool(readers) and all(
            is_plain_relu(node.operation) and node.outputs[0] not in probed for node in readers
        )

    return {
        node: Site(
            nonnegative.issuperset(node.inputs),
            is_rectified(node.outputs[0]),
            node.outputs[0] in probed,
        )
        for node in rules
    }
