"""A model as a flat list of calls: one node per call of an operation, not per layer."""

import collections
import dataclasses
import functools
import itertools

from keras import tree

_KEYS = itertools.count()


@dataclasses.dataclass(frozen=True)
class Tensor:
    """The place of a tensor in a graph; its static shape has `None` for the batch."""

    key: object
    shape: tuple
    dtype: str

    @property
    def is_float(self):
        """Whether it holds floating-point numbers."""
        return "float" in self.dtype

    @classmethod
    def like(cls, tensor):
        """Returns a new place of the shape and dtype of a tensor, symbolic or placed."""
        return cls(next(_KEYS), tuple(tensor.shape), tensor.dtype)


@dataclasses.dataclass(frozen=True, eq=False)
class Node:
    """One call of an operation.

    Attributes:
        operation: A Keras layer or operation, or any function of tensors.
        name: The layer's name, prefixed by those of the models it is nested in.
        args: The positional arguments, with a `Tensor` for each value to come.
        kwargs: The keyword arguments, likewise.
        outputs: The tensors that the call returns, flat.
        masks: Pairs of a tensor that the call reads and the mask that Keras has attached to it.
    """

    operation: object
    name: str
    args: tuple
    kwargs: dict
    outputs: tuple
    masks: tuple = ()

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
        return self._producers.get(place)

    @functools.cached_property
    def _producers(self):
        return {place: node for node in self.nodes for place in node.outputs}

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
