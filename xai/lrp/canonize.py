"""The graph that LRP runs: linear maps made explicit, normalizations folded into them."""

import dataclasses
import itertools

import keras
from keras import tree

from xai.lrp.linear import LinearMap, linear_maps
from xai.lrp.normalizations import is_normalization
from xai.lrp.operations import is_known
from xai.lrp.products import is_product
from xai.lrp.recurrent import recurrent_map
from xai.tracing import open_layer


def canonize(graph):
    """Returns the graph with weighted layers as `LinearMap`s, normalizations folded into them.

    A layer that LRP does not know is opened: what its `call` does takes its place.
    """
    nodes = _flat(_opened(node) for node in graph.nodes)
    nodes = _flat(_as_linear_maps(node) for node in nodes)
    graph = dataclasses.replace(graph, nodes=tuple(nodes))
    folds = {node: _foldable_normalization(node, graph) for node in graph.nodes}
    gone = set(folds.values())
    nodes = [_folded(node, folds[node]) for node in graph.nodes if node not in gone]
    return dataclasses.replace(graph, nodes=tuple(nodes))


def _flat(lists):
    return list(itertools.chain.from_iterable(lists))


def _opened(node):
    """Returns a node as it is, or, if its layer is not known, the nodes of the layer's `call`."""
    layer = node.operation
    if not isinstance(layer, keras.Layer) or _has_treatment(layer):
        return [node]
    inside = open_layer(node)
    return [node] if inside is None else _flat(_opened(part) for part in inside)


def _has_treatment(layer):
    tests = (linear_maps, recurrent_map, is_known, is_product, is_normalization)
    return any(test(layer) for test in tests)


def _as_linear_maps(node):
    """Returns the node of a weighted layer as one node per linear map, any other as it is."""
    recurrent = recurrent_map(node.operation)
    if recurrent is not None:
        return [dataclasses.replace(node, operation=recurrent)]
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
