"""How each node of a canonized graph is run, so that its gradient is what LRP prescribes."""

import dataclasses
import functools

import keras
from keras import ops, tree

from xai import graph as graphs
from xai.lrp import operations
from xai.lrp.normalizations import is_normalization, run_normalization
from xai.lrp.precision import raise_operation, raise_tensors, raised
from xai.lrp.products import factor_shares, is_elementwise, is_product, run_product
from xai.lrp.recurrent import RecurrentMap
from xai.lrp.rules import Zero
from xai.lrp.steering import pass_on, probe, rectify
from xai.lrp.surroundings import (
    live_places,
    preprocessing,
    probed_places,
    reached_nodes,
    sites_of,
    weighted_places,
)
from xai.lrp.zeros import have_one_shape, share_among_factors, share_among_summands, tensors


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


def plan(graph, composite):
    """Returns the step of each node of a canonized graph, and its probed tensors.

    Args:
        graph: A canonized graph.
        composite: A `Composite`.

    Raises:
        ValueError: An entry of the composite matches no layer.
    """
    places = weighted_places(graph)
    entries = dict(zip(places, composite.choose(list(places.values())), strict=True))
    rules = {
        node: Zero() if entry is None else composite.entries[entry][1]
        for node, entry in entries.items()
    }
    scalings = preprocessing(graph)
    probed = set() if composite.relu_gradient else probed_places(graph, rules, scalings)
    sites = sites_of(graph, rules, probed)
    live = live_places(graph)
    shares = {
        node: factor_shares(node, graph, live, composite.bilinear)
        for node in graph.nodes
        if is_product(node.operation)
    }
    reached = reached_nodes(graph, shares)
    steps = {}
    for node in graph.nodes:
        if node in rules:
            why = _reason(node, composite, entries[node])
            steps[node] = _rule_step(node, rules[node], sites[node], why)
        elif composite.relu_gradient:
            steps[node] = _gradient_step(node, composite.relu_gradient)
        elif node not in reached:
            steps[node] = _step(node, "none", "no relevance arrives", _run_as_it_is)
        elif node in scalings:
            steps[node] = _step(node, "unchanged", "preprocessing", _run_passing, carries=True)
        elif node in shares:
            steps[node] = _product_step(node, shares[node], bool(probed.intersection(node.outputs)))
        else:
            steps[node] = _own_step(node, probed)
    return steps, probed


def _reason(node, composite, entry):
    """Returns in words why a weighted node has its rule."""
    chosen = "no entry matches"
    if entry is not None:
        selector = composite.entries[entry][0]
        is_class = isinstance(selector, type) or (
            isinstance(selector, tuple) and all(isinstance(item, type) for item in selector)
        )
        chosen = f"entry {entry}: {'its class' if is_class else selector}"
    folded = ", ".join(normalization.name for normalization in node.operation.folded)
    return f"{chosen}; {folded} folded in" if folded else chosen


def _rule_step(node, rule, site, why):
    operation = node.operation
    weights = rule.prepare(*operation.weights(), site)
    if isinstance(operation, RecurrentMap):
        gates = operation.gates()
        weights = weights if gates is None else {**weights, "gates": list(gates)}

        def run(weights, args, kwargs):
            kwargs = {name: value for name, value in kwargs.items() if name != "training"}
            return operation.run(rule, weights, site, *args, **kwargs)
    else:

        def run(weights, args, kwargs):
            x = ops.cast(args[0], raised(operation.layer.variable_dtype))
            return rule(operation, weights, x, site)

    return Step(rule, type(operation.layer).__name__, why, weights, run)


def _gradient_step(node, relu_gradient):
    """Returns the step of a node without a kernel where gradients are wanted, not relevance."""
    if operations.is_plain_relu(node.operation):
        run = functools.partial(_run_rectifying, gated=relu_gradient == "guided")
        return _step(node, f"{relu_gradient} gradient", "ReLU", run)
    return _step(node, "own gradient", "no ReLU", _run_as_it_is)


def _own_step(node, probed):
    """Returns the step of a node without a kernel."""
    operation = node.operation
    is_probed = bool(probed.intersection(node.outputs))
    if operations.is_cast(operation):
        return _step(node, "own gradient", "passes values on", _run_cast, carries=True)
    if operations.is_lookup(node):
        return _step(node, "sum over the vector", "tokens", _run_lookup, carries=True)
    if not any(place.is_float for place in (*node.outputs, *node.inputs)):
        return _integer_step(node)
    if operations.is_transparent(operation) and not (
        is_probed and operations.is_plain_relu(operation)
    ):
        return _transparent_step(node, is_probed)
    if operations.is_activation(operation):
        return _step(node, "unchanged", "activation", _run_passing)
    if is_normalization(operation):
        run = functools.partial(_run_normalizing, probed=is_probed)
        return _step(node, "own gradient", "its deviation held constant", run)
    if operations.is_softmax(operation):
        return _step(node, "own gradient", "softmax", _run_as_it_is)
    if operations.is_constant(operation) or not any(place.is_float for place in node.outputs):
        return _step(node, "none", "makes constants or integers", _run_as_it_is)
    return _step(node, "own gradient", "no rule is known", _run_as_it_is, is_fallback=True)


def _integer_step(node):
    """Returns the step of a node that makes integers of integers, such as tokens of tokens."""
    tokens = [place for place in node.inputs if place.dtype != "bool"]
    changes = len(tokens) == 1 and tokens[0].shape == node.outputs[0].shape
    moves = operations.is_transparent(node.operation) and len(tokens) == len(node.inputs)
    if moves and not (changes and operations.is_arithmetic(node)):
        return _step(node, "own gradient", "moves tokens", _run_as_it_is, carries=True)
    if changes:
        run = functools.partial(_run_tokens, place=tokens[0])
        return _step(node, "unchanged", "changes tokens", run, carries=True)
    return _step(node, "none", "makes integers", _run_as_it_is)


def _transparent_step(node, is_probed):
    signs = operations.signs_of_summands(node)
    if is_probed and signs and have_one_shape(node):
        run = functools.partial(share_among_summands, signs=signs)
        return _step(node, "by summand", "zeros share alike", run)
    carries = len(node.inputs) == 1
    return _step(node, "own gradient", "passes values on", _run_as_it_is, carries=carries)


def _product_step(node, shares, is_probed):
    among_zeros = is_probed and is_elementwise(node.operation) and have_one_shape(node, shares)
    run = share_among_factors if among_zeros else run_product
    words = ", ".join(f"{share:.2g}" for share in shares)
    why = "shares of the factors; a gate gets none"
    return _step(node, words, why, functools.partial(run, shares=shares))


def _step(node, treatment, why, run, is_fallback=False, carries=False):
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


def _run_as_it_is(node, args, kwargs):
    return node.operation(*args, **kwargs)


def _run_cast(node, args, kwargs):
    (x,) = (value for value in tree.flatten((args, kwargs)) if hasattr(value, "dtype"))
    (place,) = node.outputs
    if "float" not in keras.backend.standardize_dtype(x.dtype):
        return ops.cast(x, place.dtype)
    if place.is_float or node.inputs[0].dtype == place.dtype:
        return x
    return pass_on(ops.cast(ops.cast(x, place.dtype), x.dtype), x)


def _run_lookup(node, args, kwargs):
    """Looks tokens up; the relevance of a token is that of its vector, summed."""
    (tokens,) = tensors(node, args, kwargs)
    tokens = _as_numbers(tokens)
    ids = ops.cast(ops.stop_gradient(tokens), "int32")
    args, kwargs = node.fill({node.inputs[0].key: ids})
    vectors = ops.stop_gradient(ops.convert_to_tensor(node.operation(*args, **kwargs)))
    return vectors * ops.cast(probe(tokens)[..., None], vectors.dtype)


def _run_tokens(node, args, kwargs, place):
    """Changes tokens one by one; each keeps its relevance."""
    values = dict(zip((p.key for p in node.inputs), tensors(node, args, kwargs), strict=True))
    tokens = _as_numbers(values[place.key])
    values[place.key] = ops.cast(ops.stop_gradient(tokens), place.dtype)
    args, kwargs = node.fill(values)
    return pass_on(ops.cast(node.operation(*args, **kwargs), tokens.dtype), tokens)


def _as_numbers(tokens):
    """Returns tokens as floating-point numbers, which a gradient needs."""
    is_float = "float" in keras.backend.standardize_dtype(tokens.dtype)
    return tokens if is_float else ops.cast(tokens, "float32")


def _run_normalizing(node, args, kwargs, probed):
    return run_normalization(node.operation, args[0], probed)


def _run_passing(node, args, kwargs):
    (x,) = tensors(node, args, kwargs)
    return pass_on(node.operation(*args, **kwargs), x)


def _run_rectifying(node, args, kwargs, gated):
    return rectify(args[0], gated)
