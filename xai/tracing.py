"""How a trained model becomes a graph: nested models opened, fused activations split off.

The user's model is never changed: where a layer is to run without its activation, a shallow copy
that shares its variables does so.
"""

import collections
import contextlib
import dataclasses
import inspect

import keras
from keras import tree
from keras.src.backend import set_keras_mask
from keras.src.models.functional import Functional

from xai import symbolic as symbols
from xai.graph import Graph, Node, Tensor
from xai.twins import twin

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


def flatten(model):
    """Returns the graph of a built model, fused activations split off.

    A model with a `call` of its own is traced; where that fails, it is one node.

    Raises:
        TypeError: The model cannot even be called with symbolic tensors.
        ValueError: The model is not built.
    """
    functional = _functional(model)
    if functional is None:
        return _flatten_subclassed(model)
    inputs = tree.map_structure(Tensor.like, functional._inputs_struct)
    if isinstance(inputs, list | tuple) and len(inputs) == 1:
        (inputs,) = inputs
    nodes = []
    outputs = _walk(functional, tree.flatten(inputs), "", nodes)
    outputs = tree.pack_sequence_as(functional._outputs_struct, outputs)
    return Graph(inputs, outputs, tuple(_numbered(nodes)))


def _flatten_subclassed(model):
    inputs = _inputs_of(model)
    kwargs = {"training": False} if _takes_training(model) else {}
    try:
        symbolic = tree.map_structure(symbols.like, inputs)
        outputs = model.compute_output_spec(symbolic, **kwargs)
    except Exception as error:
        raise TypeError(
            f"The model {model.name!r}, a {type(model).__name__} with a call method of its own, "
            f"cannot be run with tensors of unknown batch size: {error} Write its call with "
            "keras.ops, and -1 for the batch in a reshape, or rebuild it with the functional API: "
            "keras.Model(inputs, outputs)."
        ) from error
    outputs = tree.map_structure(symbols.place_of, outputs)
    node = Node(model, model.name, (inputs,), kwargs, tuple(tree.flatten(outputs)))
    nodes = open_layer(node, prefix="") or [node]
    return Graph(inputs, outputs, tuple(_numbered(nodes)))


def _inputs_of(model):
    """Returns places for the inputs that a subclassed model was built with.

    Keras-private: `_build_shapes_dict`, from which Keras' own export infers them.
    """
    shapes = model._build_shapes_dict
    if not (model.built and shapes):
        raise ValueError(
            f"The model {model.name!r} is not built: its input shape is unknown. Call it on a "
            "batch first, model(x[:1])."
        )
    parameters = inspect.signature(model.call).parameters.values()
    needed = [p.name for p in parameters if p.default is p.empty and p.kind != p.VAR_KEYWORD]
    if len(needed) > 1 or len(shapes) > 1:
        names = needed if len(needed) > 1 else [name.removesuffix("_shape") for name in shapes]
        raise ValueError(
            f"The call of the model {model.name!r} takes several arguments: {', '.join(names)}. "
            "Let it take one, a list or a dict of tensors."
        )
    (structure,) = shapes.values()
    return tree.map_shape_structure(
        lambda shape: Tensor.like(keras.KerasTensor((None, *shape[1:]))), _plain(structure)
    )


def _plain(structure):
    """Returns a structure without the containers by which Keras tracks a layer's attributes."""
    if isinstance(structure, dict):
        return {key: _plain(value) for key, value in structure.items()}
    if isinstance(structure, list | tuple):
        parts = [_plain(value) for value in structure]
        return parts if isinstance(structure, list) else tuple(parts)
    return structure


def _numbered(nodes):
    """Returns nodes of different names: later calls of a shared layer are `name#2`, `name#3`."""
    counts = collections.Counter()
    for node in nodes:
        counts[node.name] += 1
        number = counts[node.name]
        layer, slash, part = node.name.partition("/activation")
        name = f"{layer}#{number}{slash}{part}" if number > 1 else node.name
        yield dataclasses.replace(node, name=name)


def open_layer(node, prefix=None):
    """Returns what a layer's `call` does as nodes, by tracing it; None where that fails.

    Args:
        node: A call of a layer.
        prefix: What the names of the nodes begin with; by default the name of `node` and a slash.
    """
    places = list(dict.fromkeys([*node.inputs, *(mask for _, mask in node.masks)]))
    symbolic = {place: symbols.like(place) for place in places}
    for place, mask in node.masks:
        set_keras_mask(symbolic[place], symbolic[mask])
    args, kwargs = node.fill({place.key: tensor for place, tensor in symbolic.items()})
    prefix = f"{node.name}/" if prefix is None else prefix
    nodes = []
    with contextlib.ExitStack() as stack:
        call = symbols.traced(node.operation, args, kwargs, list(symbolic.values()))
        try:
            functional = stack.enter_context(call)
        except Exception:  # a call may do anything to what has no values: then it stays closed
            return None
        outputs = _walk(functional, places, prefix, nodes)
    if any(symbols.depends_on_batch_size(part) for part in nodes):
        return None
    names = dict(zip(outputs, node.outputs, strict=True))
    return [_with_places(part, lambda place: names.get(place, place)) for part in nodes]


def _with_places(node, change):
    """Returns a node with each tensor changed."""

    def changed(structure):
        return tree.map_structure(
            lambda leaf: change(leaf) if isinstance(leaf, Tensor) else leaf, structure
        )

    parts = (node.args, node.kwargs, node.outputs, node.masks)
    return Node(node.operation, node.name, *map(changed, parts))


def _walk(functional, inputs, prefix, nodes):
    """Appends the nodes of a model that is called on `inputs`; returns its outputs, flat."""
    places = {id(tensor): place for tensor, place in zip(functional.inputs, inputs, strict=True)}

    def place_of(leaf):
        return places[id(leaf)] if isinstance(leaf, keras.KerasTensor) else leaf

    for keras_node in symbols.ordered_nodes(functional):
        operation = symbols.for_any_batch_size(keras_node)
        arguments, masks = symbols.arguments_of(keras_node)
        args, kwargs, masks = tree.map_structure(place_of, (*arguments, masks))
        name = prefix + operation.name
        inner = _functional(operation)
        if inner is not None and not masks:
            called_on = tree.flatten(args[0] if args else kwargs["inputs"])
            outputs = _walk(inner, called_on, f"{name}/", nodes)
        else:
            outputs = [symbols.place_of(tensor) for tensor in keras_node.outputs]
            nodes.extend(_simplified(Node(operation, name, args, kwargs, tuple(outputs), masks)))
        places.update(zip(map(id, keras_node.outputs), outputs, strict=True))
    return [places[id(tensor)] for tensor in functional.outputs]


def _simplified(node):
    """Returns a node as those of what it wraps, of a model's call, or of layer and activation."""
    if type(node.operation) is keras.layers.TimeDistributed:
        return _over_time(node)
    if _takes_training(node.operation):
        node = dataclasses.replace(node, kwargs={**node.kwargs, "training": False})
    opened = open_layer(node) if isinstance(node.operation, keras.Model) else None
    return opened or _split(node)


class FoldTime:
    """Puts the time steps of `(batch, time, ...)` below one another: `(batch * time, ...)`."""

    def __call__(self, x):
        """Returns the steps as rows."""
        return keras.ops.reshape(x, (-1, *x.shape[2:]))


class UnfoldTime:
    """Undoes `FoldTime`, given a tensor that still has its time axis."""

    def __call__(self, rows, x):
        """Returns the rows as steps."""
        return keras.ops.reshape(rows, (-1, keras.ops.shape(x)[1], *rows.shape[1:]))


def _over_time(node):
    """Returns the nodes of a TimeDistributed layer: what it wraps, called on all steps at once."""
    layer = node.operation.layer
    x, (output,) = tree.flatten((node.args, node.kwargs))[0], node.outputs
    if node.kwargs.get("mask") is not None and layer._call_has_mask_arg:
        return [node]
    rows = Tensor.like(keras.KerasTensor((None, *x.shape[2:]), x.dtype))
    made = Tensor.like(keras.KerasTensor((None, *output.shape[2:]), output.dtype))
    nodes = [Node(FoldTime(), f"{node.name}/fold", (x,), {}, (rows,))]
    inner = _functional(layer)
    if inner is not None:
        (made,) = _walk(inner, [rows], f"{node.name}/{layer.name}/", nodes)
    else:
        call = Node(layer, f"{node.name}/{layer.name}", (rows,), {}, (made,))
        nodes.extend(_simplified(call))
    return [*nodes, Node(UnfoldTime(), f"{node.name}/unfold", (made, x), {}, (output,))]


def _split(node):
    """Returns a node as one or two: a weighted layer without its activation, and the activation."""
    layer = node.operation
    if isinstance(layer, _WEIGHTED) and layer.activation not in (None, keras.activations.linear):
        before = Tensor.like(node.outputs[0])
        bare = twin(layer, activation=keras.activations.linear)
        linear = dataclasses.replace(node, operation=bare, outputs=(before,))
        activation = Node(layer.activation, f"{node.name}/activation", (before,), {}, node.outputs)
        return [linear, activation]
    return [node]


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
