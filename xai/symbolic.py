"""Calling a layer with symbolic tensors to see what it does; nothing keeps a trace of it.

A symbolic batch has a size, as a `call` may ask for it: a prime that is no size of anything else,
so that what depends on it can be told.
"""

import contextlib
import inspect

import keras
import numpy as np
from keras import tree
from keras.src.backend import get_keras_mask

from xai.graph import Tensor

_BATCH = 7919

# Operators with a reflected counterpart in `KerasTensor`.
_OPERATORS = (
    *("__add__", "__sub__", "__mul__", "__truediv__", "__matmul__", "__pow__"),
    *("__lt__", "__le__", "__gt__", "__ge__"),
)


@contextlib.contextmanager
def traced(layer, args, kwargs, inputs):
    """Gives the operations of a layer's `call` as a `keras.Function` of symbolic inputs.

    Args:
        layer: A built layer.
        args: The positional arguments of its `call`, with symbolic tensors.
        kwargs: The keyword arguments.
        inputs: The symbolic tensors among them.

    Raises:
        Exception: Whatever the call raises when its inputs have no values.
    """
    with _no_trace_left(layer), _variables_yield(), _keeping_lengths():
        yield keras.Function(inputs, _distinct(layer.call(*args, **kwargs), inputs))


def like(place):
    """Returns a symbolic tensor for a place, of the batch size of all symbolic tensors.

    An `Input`, as Keras takes no other symbolic tensor for an input that nothing reads.
    """
    rows, *sizes = place.shape
    return keras.Input(batch_shape=(_BATCH if rows is None else rows, *sizes), dtype=place.dtype)


def place_of(tensor):
    """Returns a new place for a symbolic tensor, of any batch size."""
    shape = tuple(None if _is_batch(size) else size for size in tensor.shape)
    return Tensor.like(keras.KerasTensor(shape, tensor.dtype))


def for_any_batch_size(keras_node):
    """Returns a node's operation, a reshape to a given batch size as one to any."""
    operation = keras_node.operation
    if not any(map(_is_batch, getattr(operation, "newshape", ()))):
        return operation
    sizes = [-1 if _is_batch(size) else size for size in keras_node.outputs[0].shape]
    if None in sizes or sizes.count(-1) != 1:
        return operation
    return type(operation)(tuple(sizes), name=operation.name)


def depends_on_batch_size(node):
    """Whether a node was traced with something made for one batch size alone."""
    held = [value for value in vars(node.operation).values() if isinstance(value, int | tuple)]
    leaves = tree.flatten((held, node.args, node.kwargs))
    sizes = [leaf for leaf in leaves if isinstance(leaf, int)]
    constants = [leaf for leaf in leaves if not isinstance(leaf, Tensor) and hasattr(leaf, "shape")]
    return any(map(_is_batch, [*sizes, *(size for leaf in constants for size in leaf.shape)]))


def _is_batch(size):
    return isinstance(size, int | np.integer) and size > 0 and size % _BATCH == 0


def ordered_nodes(functional):
    """Returns Keras' own nodes in the order of execution, those of attached masks included.

    Keras-private: `_nodes_by_depth`, and that a mask is an attribute of the tensor it is for.
    """
    functional = _with_masks(functional)
    by_depth = functional._nodes_by_depth
    waiting = [node for depth in sorted(by_depth)[::-1] for node in by_depth[depth]]
    known = set(map(id, functional.inputs))
    ordered = []
    while waiting:  # once round, but for masks: Keras knows nobody who waits for them
        ready, late = _one_round(waiting, known)
        if not ready:
            raise ValueError(f"Cycle among the calls of {[n.operation.name for n in late]}.")
        ordered += ready
        waiting = late
    return [node for node in ordered if not node.is_input]


def _one_round(waiting, known):
    """Returns the nodes that can run now, their outputs then known, and those that cannot yet."""
    ready, late = [], []
    for node in waiting:
        needed = {id(tensor) for tensor in (*node.input_tensors, *_masks(node))}
        if known.issuperset(needed):
            ready.append(node)
            known.update(map(id, node.outputs))
        else:
            late.append(node)
    return ready, late


def _with_masks(functional):
    """Returns a function that also computes the masks that Keras attaches to tensors within."""
    nodes = [node for nodes in functional._nodes_by_depth.values() for node in nodes]
    known = {id(tensor) for node in nodes for tensor in node.outputs}
    masks = {id(mask): mask for node in nodes for mask in _masks(node)}
    missing = [mask for key, mask in masks.items() if key not in known]
    if not missing:
        return functional
    return keras.Function(functional.inputs, [*functional.outputs, *missing])


def _masks(keras_node):
    """Returns the masks of what a layer reads."""
    if not isinstance(keras_node.operation, keras.Layer):
        return []
    masks = map(get_keras_mask, keras_node.input_tensors)
    return [mask for mask in masks if isinstance(mask, keras.KerasTensor)]


def arguments_of(keras_node):
    """Returns what a call was given, with the masks that Keras adds when it runs.

    Returns:
        `(args, kwargs)`, and pairs of each tensor that has a mask and the mask.
    """
    args, kwargs = keras_node.arguments.args, dict(keras_node.arguments.kwargs)
    layer = keras_node.operation
    if not isinstance(layer, keras.Layer):
        return (args, kwargs), ()
    pairs = ((tensor, get_keras_mask(tensor)) for tensor in keras_node.input_tensors)
    masks = tuple(pair for pair in pairs if isinstance(pair[1], keras.KerasTensor))
    if masks:
        kwargs.update(_mask_arguments(layer, args, kwargs))
    return (args, kwargs), masks


def _mask_arguments(layer, args, kwargs):
    """Returns the mask arguments that a layer's call is given unless they are given by hand."""
    signature = inspect.signature(layer.call)
    bound = signature.bind(*args, **{k: v for k, v in kwargs.items() if k in signature.parameters})
    given = {name: value for name, value in bound.arguments.items() if _is_symbolic(value)}
    names = dict.fromkeys(given, "mask") if len(given) == 1 else {n: f"{n}_mask" for n in given}
    return {
        mask_name: tree.map_structure(get_keras_mask, given[name])
        for name, mask_name in names.items()
        if mask_name in signature.parameters and bound.arguments.get(mask_name) is None
    }


def _is_symbolic(value):
    leaves = tree.flatten(value)
    return bool(leaves) and all(isinstance(leaf, keras.KerasTensor) for leaf in leaves)


@contextlib.contextmanager
def _no_trace_left(layer):
    """Removes what calls within leave in a layer; Keras-private: its inbound and outbound nodes."""
    recorded = [
        (nodes, len(nodes))
        for part in layer._flatten_layers()
        for nodes in (part._inbound_nodes, part._outbound_nodes)
    ]
    try:
        yield
    finally:
        for calls, count in recorded:
            del calls[count:]


@contextlib.contextmanager
def _variables_yield():
    """Lets `variable * symbolic` be what `symbolic * variable` is, where Keras 3.15 raises.

    Keras-private: that all operators of variables are methods of their base class.
    """
    base = next(cls for cls in keras.Variable.__mro__ if "__mul__" in vars(cls))
    with contextlib.ExitStack() as stack:
        for name in _OPERATORS:
            stack.enter_context(_replaced(base, name, _yielding(vars(base)[name])))
        yield


def _yielding(method):
    def operate(variable, other):
        symbolic = isinstance(other, keras.KerasTensor)
        return NotImplemented if symbolic else method(variable, other)

    return operate


def _keeping_lengths():
    """Lets a projection keep the lengths that it knows, where Keras 3.15 forgets them."""

    def compute_output_shape(layer, input_shape):
        if None in input_shape:
            return forgetful(layer, input_shape)
        inputs, kernel = map(keras.KerasTensor, (input_shape, layer.kernel.shape))
        return keras.ops.einsum(layer.equation, inputs, kernel).shape

    cls = keras.layers.EinsumDense
    forgetful = cls.compute_output_shape
    return _replaced(cls, "compute_output_shape", compute_output_shape)


@contextlib.contextmanager
def _replaced(cls, name, method):
    own = vars(cls)[name]
    setattr(cls, name, method)
    try:
        yield
    finally:
        setattr(cls, name, own)


def _distinct(outputs, inputs):
    """Returns outputs with a copy of each that is an input, or another output, as it is."""
    seen = set(map(id, inputs))

    def copied(tensor):
        if id(tensor) in seen:
            return keras.ops.copy(tensor)
        seen.add(id(tensor))
        return tensor

    return tree.map_structure(copied, outputs)
