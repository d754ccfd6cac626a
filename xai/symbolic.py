"""Calling a layer with symbolic tensors to see what it does; nothing keeps a trace of it."""

import contextlib

import keras
from keras import tree

# Operators with a reflected counterpart in `KerasTensor`.
_OPERATORS = ("__add__", "__sub__", "__mul__", "__truediv__", "__matmul__", "__pow__")


def trace(layer, args, kwargs, inputs):
    """Returns the operations of a layer's `call` as a `keras.Function` of symbolic inputs.

    Args:
        layer: A built layer.
        args: The positional arguments of its `call`, with symbolic tensors.
        kwargs: The keyword arguments.
        inputs: The symbolic tensors among them.

    Raises:
        Exception: Whatever the call raises when its inputs have no values.
    """
    with _no_trace_left(layer), _variables_yield():
        outputs = _distinct(layer.call(*args, **kwargs), inputs)
        return keras.Function(inputs, outputs)


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
    own = {name: vars(base)[name] for name in _OPERATORS}
    for name, method in own.items():
        setattr(base, name, _yielding(method))
    try:
        yield
    finally:
        for name, method in own.items():
            setattr(base, name, method)


def _yielding(method):
    def operate(variable, other):
        symbolic = isinstance(other, keras.KerasTensor)
        return NotImplemented if symbolic else method(variable, other)

    return operate


def _distinct(outputs, inputs):
    """Returns outputs with a copy of each that is an input, or another output, as it is."""
    seen = set(map(id, inputs))

    def copied(tensor):
        if id(tensor) in seen:
            return keras.ops.copy(tensor)
        seen.add(id(tensor))
        return tensor

    return tree.map_structure(copied, outputs)
