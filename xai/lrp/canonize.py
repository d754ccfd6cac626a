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
from xai.twins import twin


def canonize(graph):
    """Returns the graph with weighted layers as `LinearMap`s, normalizations folded into them.

    A layer that LRP does not know is opened: what its `call` does takes its place.
    """
    nodes = _flat(_opened(node) for node in graph.nodes)
    nodes = _flat(_as_linear_maps(node) for node in nodes)
    graph = dataclasses.replace(graph, nodes=tuple(nodes))
    return _fold_before(_fold_behind(graph))


def _flat(lists):
    return list(itertools.chain.from_iterable(lists))


def _opened(node):
    """Returns a node as it is, or, if its layer is not known, the nodes of the layer's `call`."""
    layer = node.operation
    if not isinstance(layer, keras.Layer) or _has_treatment(layer):
        return [node]
    inside = open_layer(dataclasses.replace(node, operation=_plain(layer)))
    return [node] if inside is None else _flat(_opened(part) for part in inside)


def _plain(layer):
    """Returns a layer that tries no fused kernel that cannot be traced; Keras-private names."""
    if isinstance(layer, keras.layers.Bidirectional):
        never = {"_can_attempt_fused_lstm": _never, "_can_attempt_fused_gru": _never}
        return twin(layer, **never)
    return layer


def _never(*_):
    return False


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


def _fold_behind(graph):
    """Returns the graph with each BatchNormalization in the linear map that it alone reads."""
    folds = {
        node: reader
        for node, reader in _pairs(graph)
        if isinstance(node.operation, LinearMap)
        and _is_normalization(reader)
        and node.operation.takes_behind(reader.operation, len(node.outputs[0].shape))
    }
    return _merged(graph, folds, _folded_behind)


def _fold_before(graph):
    """Returns the graph with each other BatchNormalization in the linear map that alone reads it.

    So the map's inputs are what the normalization reads, often the non-negative output of a ReLU.
    """
    folds = {
        reader: node
        for node, reader in _pairs(graph)
        if isinstance(reader.operation, LinearMap)
        and _is_normalization(node)
        and reader.operation.takes_before(node.operation, len(node.outputs[0].shape))
    }
    return _merged(graph, folds, _folded_before)


def _pairs(graph):
    """Yields each node whose output one other node alone reads, and that node."""
    results = tree.flatten(graph.outputs)
    for node in graph.nodes:
        readers = graph.readers[node.outputs[0]]
        if len(readers) == len(node.outputs) == 1 and node.outputs[0] not in results:
            yield node, readers[0]


def _is_normalization(node):
    return type(node.operation) is keras.layers.BatchNormalization


def _merged(graph, folds, fold):
    """Returns the graph with the normalization that `folds` gives a node folded into it."""
    gone = set(folds.values())
    nodes = [
        fold(node, folds[node]) if node in folds else node
        for node in graph.nodes
        if node not in gone
    ]
    return dataclasses.replace(graph, nodes=tuple(nodes))


def _folded_behind(node, normalization):
    operation = dataclasses.replace(node.operation, behind=normalization.operation)
    return dataclasses.replace(node, operation=operation, outputs=normalization.outputs)


def _folded_before(node, normalization):
    operation = dataclasses.replace(node.operation, before=normalization.operation)
    return dataclasses.replace(node, operation=operation, args=normalization.args, kwargs={})
