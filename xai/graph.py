"""A trained model as a flat list of calls: nested models opened, one node per call, not per layer.

The user's model is never changed: where a layer is to run without its activation, a shallow copy
that shares its variables does so.
"""

import collections
import dataclasses
import functools
import inspect
import itertools

import keras
from keras import tree
from keras.src.models.functional import Functional

# The base classes of all layers that may end in an activation of their own.
_WEIGHTED = tuple(
    {
        keras.layers.Dense,
        keras.layers.EinsumDense,
        *(keras.layers.Conv2D.__bases__),
        *(keras.layers.Conv2DTranspose.__bases__),
        *(keras.layers.DepthwiseConv2D.__bases__),
        *(keras.layers.SeparableConv2D.__bases__),
    }
)


_KEYS = itertools.count()


@dataclasses.dataclass(frozen=True)
class Tensor:
    """The place of a tensor in a graph; its static shape has `None` for the batch."""

    key: int
    shape: tuple
    dtype: str


@dataclasses.dataclass(frozen=True, eq=False)
class Node:
    """One call of an operation.

    Attributes:
        operation: A Keras layer or operation, or any function of tensors.
        name: The layer's name, prefixed by those of the models it is nested in.
        args: The positional arguments, with a `Tensor` for each value to come.
        kwargs: The keyword arguments, likewise.
        outputs: The tensors that the call returns, flat.
    """

    operation: object
    name: str
    args: tuple
    kwargs: dict
    outputs: tuple

    @functools.cached_property
    def inputs(self):
        """The tensors that the call reads, flat."""
        leaves = tree.flatten((self.args, self.kwargs))
        return tuple(leaf for leaf in leaves if isinstance(leaf, Tensor))

    def fill(self, values):
        """Returns `(args, kwargs)` with every `Tensor` replaced by its value."""
        return tree.map_structure(
            lambda leaf: values[leaf.key] if isinstance(leaf, Tensor) else leaf,
            (self.args, self.kwargs),
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Graph:
    """Nodes in the order of execution, from `inputs` to `outputs`, both structures of `Tensor`."""

    inputs: object
    outputs: object
    nodes: tuple

    def run(self, inputs, call):
        """Returns the outputs for `inputs`; `call(node, args, kwargs)` runs each node."""
        places = tree.flatten(self.inputs)
        values = dict(zip((p.key for p in places), tree.flatten(inputs), strict=True))
        for node in self.nodes:
            outputs = tree.flatten(call(node, *node.fill(values)))
            values.update(zip((p.key for p in node.outputs), outputs, strict=True))
        return tree.map_structure(lambda place: values[place.key], self.outputs)

    def producer(self, place):
        """Returns the node that writes a tensor, or None for an input of the graph."""
        return next((node for node in self.nodes if place in node.outputs), None)

    @functools.cached_property
    def readers(self):
        """The nodes that read each tensor, by tensor."""
        readers = collections.defaultdict(list)
        for node in self.nodes:
            for place in set(node.inputs):
                readers[place].append(node)
        return readers


def call(node, args, kwargs):
    """Runs a node's operation as it is, at inference."""
    return node.operation(*args, **kwargs)


def flatten(model):
    """Returns the graph of a built Sequential or Functional model, fused activations split off.

    Raises:
        TypeError: The model is neither.
        ValueError: The model is not built.
    """
    functional = _functional(model)
    if functional is None:
        raise TypeError(
            f"Expected a Sequential or Functional Keras model, or one made of these; {model.name!r}"
            f" is a {type(model).__name__} with a call method of its own. Rebuild it with the "
            "functional API: keras.Model(inputs, outputs)."
        )
    inputs = tree.map_structure(_place, functional._inputs_struct)
    if isinstance(inputs, list | tuple) and len(inputs) == 1:
        (inputs,) = inputs
    nodes = []
    outputs = _walk(functional, tree.flatten(inputs), "", nodes)
    outputs = tree.pack_sequence_as(functional._outputs_struct, outputs)
    return Graph(inputs, outputs, tuple(_numbered(nodes)))


def _numbered(nodes):
    """Returns nodes of different names: later calls of a shared layer are `name#2`, `name#3`."""
    counts = collections.Counter()
    for node in nodes:
        counts[node.name] += 1
        number = counts[node.name]
        layer, slash, part = node.name.partition("/activation")
        name = f"{layer}#{number}{slash}{part}" if number > 1 else node.name
        yield dataclasses.replace(node, name=name)


def open_layer(node):
    """Returns what a layer's `call` does as nodes, by tracing it; None where that fails.

    Neither the layer nor those within it keep a trace of this.
    """
    layer = node.operation
    symbolic = {place.key: keras.KerasTensor(place.shape, place.dtype) for place in node.inputs}
    args, kwargs = node.fill(symbolic)
    recorded = [
        (nodes, len(nodes))  # Keras-private: what each call of a layer leaves
        for part in layer._flatten_layers()
        for nodes in (part._inbound_nodes, part._outbound_nodes)
    ]
    try:
        outputs = layer.call(*args, **kwargs)
        # Copied, so that an input that is returned as it is has a node too.
        outputs = tree.map_structure(keras.ops.copy, outputs)
        traced = keras.Function(list(symbolic.values()), outputs)
    except Exception:  # a call may do anything to what has no values: then it stays closed
        return None
    finally:
        for calls, count in recorded:
            del calls[count:]
    nodes = []
    outputs = _walk(traced, list(dict.fromkeys(node.inputs)), f"{node.name}/", nodes)
    return _renamed(nodes, dict(zip(outputs, node.outputs, strict=True)))


def _renamed(nodes, names):
    """Returns nodes that read and write other tensors in the place of some."""

    def rename(structure):
        return tree.map_structure(
            lambda leaf: names.get(leaf, leaf) if isinstance(leaf, Tensor) else leaf, structure
        )

    return [
        Node(node.operation, node.name, *rename((node.args, node.kwargs, node.outputs)))
        for node in nodes
    ]


def _walk(functional, inputs, prefix, nodes):
    """Appends the nodes of a model that is called on `inputs`; returns its outputs, flat."""
    places = {id(tensor): place for tensor, place in zip(functional.inputs, inputs, strict=True)}

    def place_of(leaf):
        return places[id(leaf)] if isinstance(leaf, keras.KerasTensor) else leaf

    for keras_node in _ordered_nodes(functional):
        operation = keras_node.operation
        args = tree.map_structure(place_of, keras_node.arguments.args)
        kwargs = tree.map_structure(place_of, keras_node.arguments.kwargs)
        name = prefix + operation.name
        inner = _functional(operation)
        if inner is not None:
            arguments = tree.flatten(args[0] if args else kwargs["inputs"])
            outputs = _walk(inner, arguments, f"{name}/", nodes)
        else:
            outputs = [_place(tensor) for tensor in keras_node.outputs]
            nodes.extend(_split(Node(operation, name, args, kwargs, tuple(outputs))))
        places.update(zip(map(id, keras_node.outputs), outputs, strict=True))
    return [places[id(tensor)] for tensor in functional.outputs]


def _place(tensor):
    """Returns a new place for a tensor, symbolic or placed."""
    return Tensor(next(_KEYS), tensor.shape, tensor.dtype)


def _split(node):
    """Returns a node as one or two: a weighted layer without its activation, and the activation."""
    layer = node.operation
    if isinstance(layer, _WEIGHTED) and layer.activation not in (None, keras.activations.linear):
        before = _place(node.outputs[0])
        linear = dataclasses.replace(node, operation=_without_activation(layer), outputs=(before,))
        activation = Node(layer.activation, f"{node.name}/activation", (before,), {}, node.outputs)
        return [linear, activation]
    if _takes_training(layer):
        return [dataclasses.replace(node, kwargs={**node.kwargs, "training": False})]
    return [node]


def _without_activation(layer):
    """Returns a layer that shares everything with `layer`, its variables too, but the activation.

    `copy.copy` would go through Keras' serialization and make new variables.
    """
    bare = object.__new__(type(layer))
    vars(bare).update(vars(layer), activation=keras.activations.linear)
    return bare


def _takes_training(operation):
    return isinstance(operation, keras.Layer) and (
        "training" in inspect.signature(operation.call).parameters
    )


def _functional(operation):
    """Returns the Functional model behind an operation, None where it has a `call` of its own.

    Keras-private: `Functional`, and `_functional` of a Sequential, made when it is built.
    """
    if isinstance(operation, keras.Sequential):
        if operation._functional is None:
            raise ValueError(
                f"The model {operation.name!r} is not built: its input shape is unknown. Begin it "
                "with keras.Input(shape) or call model.build((None, ...)) first."
            )
        return operation._functional
    if isinstance(operation, Functional) and type(operation).call is Functional.call:
        return operation
    return None


def _ordered_nodes(functional):
    """Returns Keras' own nodes in the order of execution; Keras-private: `_nodes_by_depth`."""
    by_depth = functional._nodes_by_depth
    nodes = itertools.chain.from_iterable(by_depth[depth] for depth in sorted(by_depth)[::-1])
    return [node for node in nodes if not node.is_input]
