"""Which treatment each node of a canonized graph gets."""

import functools

from keras import ops

from xai.lrp import operations
from xai.lrp.normalizations import is_normalization
from xai.lrp.precision import raised
from xai.lrp.products import factor_shares, is_elementwise, is_product, run_product
from xai.lrp.recurrent import RecurrentMap
from xai.lrp.rules import Zero
from xai.lrp.steps import (
    Step,
    operation_step,
    run_as_it_is,
    run_cast,
    run_gated_linear_unit,
    run_lookup,
    run_normalizing,
    run_nothing,
    run_passing,
    run_rectifying,
    run_relu,
    run_tokens,
)
from xai.lrp.surroundings import (
    live_places,
    preprocessing,
    probed_places,
    reached_nodes,
    rectified_places,
    sites_of,
    weighted_places,
)
from xai.lrp.zeros import have_one_shape, share_among_factors, share_among_summands


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
    if composite.relu_gradient:
        probed = rectified = set()
        step_of = functools.partial(_gradient_step, relu_gradient=composite.relu_gradient)
    else:
        probed = probed_places(graph, rules, scalings)
        rectified = rectified_places(graph, probed)
        step_of = _relevance_steps(graph, composite.bilinear, scalings, probed, rectified)
    sites = sites_of(graph, rules, probed, rectified)
    steps = {
        node: _rule_step(node, rules[node], sites[node], _reason(node, composite, entries[node]))
        if node in rules
        else step_of(node)
        for node in graph.nodes
    }
    return steps, probed


def _relevance_steps(graph, bilinear, scalings, probed, rectified):
    """Returns the function of a node without a rule to its step."""
    live = live_places(graph)
    shares = {
        node: factor_shares(node, graph, live, bilinear)
        for node in graph.nodes
        if is_product(node.operation)
    }
    reached = reached_nodes(graph, shares)

    def step_of(node):
        if node not in reached:
            return operation_step(node, "none", "no relevance arrives", run_as_it_is)
        if node in scalings:
            return operation_step(node, "unchanged", "preprocessing", run_passing, carries=True)
        if node in shares:
            return _product_step(node, shares[node], bool(probed.intersection(node.outputs)))
        if rectified.issuperset(node.inputs) and operations.is_plain_relu(node.operation):
            return operation_step(node, "own gradient", "part of the map's rule", run_nothing)
        return _own_step(node, probed)

    return step_of


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
        run = functools.partial(run_rectifying, gated=relu_gradient == "guided")
        return operation_step(node, f"{relu_gradient} gradient", "ReLU", run)
    return operation_step(node, "own gradient", "no ReLU", run_as_it_is)


def _own_step(node, probed):
    """Returns the step of a node without a kernel."""
    operation = node.operation
    is_probed = bool(probed.intersection(node.outputs))
    if operations.is_cast(operation):
        return operation_step(node, "own gradient", "passes values on", run_cast, carries=True)
    if operations.is_lookup(node):
        return operation_step(node, "sum over the vector", "tokens", run_lookup, carries=True)
    if not any(place.is_float for place in (*node.outputs, *node.inputs)):
        return _integer_step(node)
    if operations.is_transparent(operation) and not (
        is_probed and operations.is_plain_relu(operation)
    ):
        return _transparent_step(node, is_probed)
    if operations.is_activation(operation):
        return operation_step(node, "unchanged", "activation", run_passing)
    if is_normalization(operation):
        run = functools.partial(run_normalizing, probed=is_probed)
        return operation_step(node, "own gradient", "its deviation held constant", run)
    if operations.is_gated_linear_unit(operation):
        return operation_step(node, "1, 0", "the gate gets none", run_gated_linear_unit)
    if operations.is_softmax(operation):
        return operation_step(node, "own gradient", "softmax", run_as_it_is)
    if operations.is_constant(operation) or not any(place.is_float for place in node.outputs):
        return operation_step(node, "none", "makes constants or integers", run_as_it_is)
    return operation_step(node, "own gradient", "no rule is known", run_as_it_is, is_fallback=True)


def _integer_step(node):
    """Returns the step of a node that makes integers of integers, such as tokens of tokens."""
    tokens = [place for place in node.inputs if place.dtype != "bool"]
    changes = len(tokens) == 1 and tokens[0].shape == node.outputs[0].shape
    moves = operations.is_transparent(node.operation) and len(tokens) == len(node.inputs)
    if moves and not (changes and operations.is_arithmetic(node)):
        return operation_step(node, "own gradient", "moves tokens", run_as_it_is, carries=True)
    if changes:
        run = functools.partial(run_tokens, place=tokens[0])
        return operation_step(node, "unchanged", "changes tokens", run, carries=True)
    return operation_step(node, "none", "makes integers", run_as_it_is)


def _transparent_step(node, is_probed):
    signs = operations.signs_of_summands(node)
    if is_probed and signs and have_one_shape(node):
        run = functools.partial(share_among_summands, signs=signs)
        return operation_step(node, "by summand", "zeros share alike", run)
    if operations.is_plain_relu(node.operation):
        return operation_step(node, "own gradient", "passes values on", run_relu)
    carries = len(node.inputs) == 1
    return operation_step(node, "own gradient", "passes values on", run_as_it_is, carries=carries)


def _product_step(node, shares, is_probed):
    among_zeros = is_probed and is_elementwise(node.operation) and have_one_shape(node, shares)
    run = share_among_factors if among_zeros else run_product
    words = ", ".join(f"{share:.2g}" for share in shares)
    why = "shares of the factors; a gate gets none"
    return operation_step(node, words, why, functools.partial(run, shares=shares))
