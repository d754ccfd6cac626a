"""The graph that LRP runs: linear maps made explicit, normalizations folded into them."""

import dataclasses
import itertools

import keras
from keras import tree

from xai.lrp.linear import LinearMap, linear_maps
from xai.lrp.selectors import Place

_POOLING = tuple(
    getattr(keras.layers, f"{scope}{kind}Pooling{rank}D")
    for scope in ("", "Global")
    for kind in ("Max", "Average")
    for rank in (1, 2, 3)
)

# Layers that are non-negative wherever their inputs are.
_KEEPS_SIGN = (
    *_POOLING,
    keras.layers.Add,
    keras.layers.Dropout,
    keras.layers.Flatten,
    keras.layers.Identity,
    keras.layers.Reshape,
)

# Layers whose own gradient is their rule: relevance follows the values that they pass on.
_TRANSPARENT = (*_KEEPS_SIGN, keras.layers.BatchNormalization)

_ACTIVATIONS = (
    keras.layers.Activation,
    keras.layers.ELU,
    keras.layers.LeakyReLU,
    keras.layers.ReLU,
)

_NONNEGATIVE = {"relu", "relu6", "sigmoid", "hard_sigmoid", "softplus", "exponential"}
_NOT_ELEMENTWISE = {"softmax", "log_softmax", "sparsemax", "glu"}


def canonize(graph):
    """Returns the graph with weighted layers as `LinearMap`s, normalizations folded into them."""
    nodes = itertools.chain.from_iterable(_as_linear_maps(node) for node in graph.nodes)
    graph = dataclasses.replace(graph, nodes=tuple(nodes))
    folds = {node: _foldable_normalization(node, graph) for node in graph.nodes}
    gone = set(folds.values())
    nodes = [_folded(node, folds[node]) for node in graph.nodes if node not in gone]
    return dataclasses.replace(graph, nodes=tuple(nodes))


def _as_linear_maps(node):
    """Returns the node of a weighted layer as one node per linear map, any other as it is."""
    maps = linear_maps(node.operation)
    if len(maps) < 2:
        return [dataclasses.replace(node, operation=maps[0]) if maps else node]
    first, second = maps
    between = dataclasses.replace(node.outputs[0], key=(node.outputs[0].key, "depthwise"))
    return [
        dataclasses.replace(node, operation=first, outputs=(between,)),
        dataclasses.replace(node, operation=second, args=(between,), kwargs={}),
    ]


def _foldable_normalization(node, graph):
    """Returns the BatchNormalization node that alone reads the output of a linear map, or None."""
    place = node.outputs[0]
    if not isinstance(node.operation, LinearMap) or place in tree.flatten(graph.outputs):
        return None
    readers = graph.readers[place]
    if len(readers) != 1 or type(readers[0].operation) is not keras.layers.BatchNormalization:
        return None
    foldable = node.operation.can_fold(readers[0].operation, len(place.shape))
    return readers[0] if foldable else None


def _folded(node, normalization):
    if normalization is None:
        return node
    operation = dataclasses.replace(node.operation, normalization=normalization.operation)
    return dataclasses.replace(node, operation=operation, outputs=normalization.outputs)


def weighted_places(graph):
    """Returns, for each weighted node of a canonized graph, the place that selectors see."""
    before = {}  # what precedes a tensor: layers, and the number of them on the longest way
    nodes = {}
    for node in graph.nodes:
        known = [before.get(place, (frozenset(), 0)) for place in node.inputs]
        layers = frozenset().union(*(layers for layers, _ in known))
        depth = max((depth for _, depth in known), default=0)
        if isinstance(node.operation, LinearMap):
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
        keeps = isinstance(node.operation, _KEEPS_SIGN) and known.issuperset(node.inputs)
        if keeps or _activation_name(node.operation) in _NONNEGATIVE:
            known.update(node.outputs)
    return known


def probed_places(graph, rules):
    """Returns the tensors that may have relevance where they are zero.

    A rule that probes gives it to its input; activations and layers that pass values on hand it
    down to what they read, until a weighted layer redistributes it.
    """
    probed = set()
    for node in reversed(graph.nodes):
        if node in rules:
            if rules[node].probes:
                probed.update(node.inputs)
        elif probed.intersection(node.outputs):
            probed.update(node.inputs)
    return probed


def is_transparent(operation):
    """Whether the operation's own gradient distributes relevance as it should."""
    return isinstance(operation, _TRANSPARENT) or is_plain_relu(operation)


def is_plain_relu(operation):
    """Whether the operation is a ReLU without slope, threshold or bound."""
    return _activation_name(operation) == "relu"


def is_activation(operation):
    """Whether the operation is an elementwise activation, which passes relevance on unchanged."""
    name = _activation_name(operation)
    return name is not None and name not in _NOT_ELEMENTWISE


def _activation_name(operation):
    if type(operation) is keras.layers.ReLU:
        plain = operation.max_value is None and not operation.negative_slope
        return "relu" if plain and not operation.threshold else "bounded_relu"
    if type(operation) is keras.layers.Activation:
        operation = operation.activation
    elif isinstance(operation, _ACTIVATIONS):
        return type(operation).__name__
    return getattr(operation, "__name__", None)  # layers have none
