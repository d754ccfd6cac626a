"""How each node of a canonized graph is run, so that its gradient is what LRP prescribes."""

import dataclasses

import keras
from keras import ops, tree

from xai import graph as graphs
from xai.lrp.normalizations import is_normalization, run_normalization
from xai.lrp.operations import (
    is_activation,
    is_plain_relu,
    is_scaling,
    is_softmax,
    is_transparent,
)
from xai.lrp.products import factor_shares, is_product, run_product
from xai.lrp.rules import Zero
from xai.lrp.steering import pass_on
from xai.lrp.surroundings import probed_places, sites_of, weighted_places


@dataclasses.dataclass(frozen=True, eq=False)
class Step:
    """How one node is run.

    Attributes:
        treatment: What distributes the relevance: a rule, or words for the summary.
        weights: What the node needs: a rule's weights, or copies of the operation's variables.
        run: Function of weights, args and kwargs to the outputs.
        is_fallback: Whether no rule is known, so that the operation keeps its own gradient.
    """

    treatment: object
    weights: object
    run: object
    is_fallback: bool = False


def plan(graph, composite):
    """Returns the step of each node of a canonized graph, and its probed tensors.

    Args:
        graph: A canonized graph.
        composite: A `Composite`.
    """
    rules = _choose_rules(graph, composite)
    probed = probed_places(graph, rules)
    sites = sites_of(graph, rules, probed)
    steps = {}
    for node in graph.nodes:
        if node in rules:
            steps[node] = _rule_step(node, rules[node], sites[node])
        else:
            steps[node] = _own_step(node, graph, probed)
    return steps, probed


def _rule_step(node, rule, site):
    def run(weights, args, kwargs):
        return rule(node.operation, weights, args[0], site)

    return Step(rule, rule.prepare(*node.operation.weights(), site), run)


def _own_step(node, graph, probed):
    """Returns the step of a node without a kernel."""
    operation = node.operation
    if is_transparent(operation) and not (is_plain_relu(operation) and node.outputs[0] in probed):
        return _step(node, "own gradient", graphs.call)
    if is_activation(operation) or is_scaling(operation):
        return _step(node, "passes relevance on", _run_passing)
    if is_product(operation):
        shares = factor_shares(node, graph)
        words = f"shares {', '.join(f'{share:.2g}' for share in shares)}"
        return _step(node, words, lambda node, a, k: run_product(node, shares, a, k))
    if is_normalization(operation):
        return _step(node, "constant deviation", _run_normalizing)
    if is_softmax(operation):
        return _step(node, "own gradient", graphs.call)
    return _step(node, "own gradient, for want of a rule", graphs.call, is_fallback=True)


def _step(node, words, run, is_fallback=False):
    held = tree.flatten((node.args, node.kwargs))
    variables = [leaf for leaf in held if isinstance(leaf, keras.Variable)]
    variables += getattr(node.operation, "variables", [])
    copies = [ops.copy(ops.stop_gradient(variable.value)) for variable in variables]

    def run_with(weights, args, kwargs):
        with keras.StatelessScope(zip(variables, weights, strict=True)):
            return run(node, args, kwargs)

    return Step(words, copies, run_with, is_fallback)


def _run_normalizing(node, args, kwargs):
    return run_normalization(node.operation, args[0])


def _run_passing(node, args, kwargs):
    constants = tree.map_structure(ops.stop_gradient, args)
    return pass_on(node.operation(*constants, **kwargs), args[0])


def _choose_rules(graph, composite):
    """Returns the rule of each weighted node; LRP-0, its own gradient, where none matches."""
    places = weighted_places(graph)
    entries = composite.choose(list(places.values()))
    return {
        node: Zero() if entry is None else composite.entries[entry][1]
        for node, entry in zip(places, entries, strict=True)
    }
