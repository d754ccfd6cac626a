"""How a node of a canonized graph is run, so that its gradient is what LRP prescribes."""

import dataclasses

import keras
from keras import ops, tree

from xai import graph as graphs
from xai.lrp.normalizations import run_normalization
from xai.lrp.precision import is_float, raise_operation, raise_tensors
from xai.lrp.steering import pass_on, probe, rectify, relu
from xai.lrp.zeros import tensors


@dataclasses.dataclass(frozen=True, eq=False)
class Step:
    """How one node is run.

    Attributes:
        treatment: What distributes the relevance: a rule, or words.
        type: The class name of the layer or operation, for the summary.
        why: What chose the treatment, in words.
        weights: What the node needs: a rule's weights, or copies of the operation's variables.
        run: Function of weights, args and kwargs to the outputs.
        is_fallback: Whether no rule is known, so that the operation keeps its own gradient.
    """

    treatment: object
    type: str
    why: str
    weights: object
    run: object
    is_fallback: bool = False


def operation_step(node, treatment, why, run, is_fallback=False, carries=False):
    """Returns a step that runs a node's operation with copies of its variables.

    Args:
        node: The node.
        treatment: See `Step`.
        why: See `Step`.
        run: Function of the node, in float32 at least, args and kwargs to the outputs.
        is_fallback: See `Step`.
        carries: Whether integers stay the floating-point numbers that stand for them.
    """
    held = tree.flatten((node.args, node.kwargs))
    variables = [leaf for leaf in held if isinstance(leaf, keras.Variable)]
    variables += getattr(node.operation, "variables", [])
    copies = [ops.copy(ops.stop_gradient(variable.value)) for variable in variables]
    operation = node.operation
    node = dataclasses.replace(node, operation=raise_operation(operation))

    def run_with(weights, args, kwargs):
        if not carries:
            args, kwargs = _as_integers(node, args, kwargs)
        with keras.StatelessScope(zip(variables, weights, strict=True)):
            return raise_tensors(run(node, args=args, kwargs=kwargs))

    name = getattr(operation, "__name__", type(operation).__name__)
    return Step(treatment, name, why, copies, run_with, is_fallback)


def _as_integers(node, args, kwargs):
    """Returns arguments with the integers that floating-point numbers stood for."""
    return tree.map_structure(
        lambda place, value: (
            ops.cast(value, place.dtype)
            if isinstance(place, graphs.Tensor) and not place.is_float
            else value
        ),
        (node.args, node.kwargs),
        (args, kwargs),
    )


def run_as_it_is(node, args, kwargs):
    """Runs a node's operation with its own gradient."""
    return node.operation(*args, **kwargs)


def run_cast(node, args, kwargs):
    """Changes the dtype; numbers that stand for integers stay floating-point."""
    (x,) = tensors(node, args, kwargs)
    (place,) = node.outputs
    if not is_float(x):
        return ops.cast(x, place.dtype)
    if place.is_float or node.inputs[0].dtype == place.dtype:
        return x
    return pass_on(ops.cast(ops.cast(x, place.dtype), x.dtype), x)


def run_lookup(node, args, kwargs):
    """Looks tokens up; the relevance of a token is that of its vector, summed."""
    (tokens,) = tensors(node, args, kwargs)
    tokens = _as_numbers(tokens)
    ids = ops.cast(ops.stop_gradient(tokens), "int32")
    args, kwargs = node.fill({node.inputs[0].key: ids})
    vectors = ops.stop_gradient(ops.convert_to_tensor(node.operation(*args, **kwargs)))
    return vectors * ops.cast(probe(tokens)[..., None], vectors.dtype)


def run_tokens(node, args, kwargs, place):
    """Changes tokens one by one; each keeps its relevance."""
    values = dict(zip((p.key for p in node.inputs), tensors(node, args, kwargs), strict=True))
    tokens = _as_numbers(values[place.key])
    values[place.key] = ops.cast(ops.stop_gradient(tokens), place.dtype)
    args, kwargs = node.fill(values)
    return pass_on(ops.cast(node.operation(*args, **kwargs), tokens.dtype), tokens)


def _as_numbers(tokens):
    """Returns tokens as floating-point numbers, which a gradient needs."""
    return tokens if is_float(tokens) else ops.cast(tokens, "float32")


def run_normalizing(node, args, kwargs, probed):
    """Runs a normalization with its deviation held constant."""
    return run_normalization(node.operation, args[0], probed)


def run_passing(node, args, kwargs):
    """Runs an elementwise operation that passes relevance on unchanged."""
    (x,) = tensors(node, args, kwargs)
    return pass_on(node.operation(*args, **kwargs), x)


def run_gated_linear_unit(node, args, kwargs):
    """Scales one half by the sigmoid of the other, a gate that gets no relevance."""
    axis = getattr(node.operation, "axis", -1)
    signal, gate = ops.split(args[0], 2, axis=axis)
    return signal * ops.stop_gradient(ops.sigmoid(gate))


def run_relu(node, args, kwargs):
    """Runs a plain ReLU."""
    return relu(*tensors(node, args, kwargs))


def run_nothing(node, args, kwargs):
    """Hands on what a rule has rectified."""
    (x,) = tensors(node, args, kwargs)
    return x


def run_rectifying(node, args, kwargs, gated):
    """Runs a ReLU that rectifies its gradient; see `rectify`."""
    return rectify(*tensors(node, args, kwargs), gated)
