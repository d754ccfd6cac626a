"""How each node of a canonized graph is run, so that its gradient is what LRP prescribes."""

import dataclasses
import functools

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
    probed = probed_places(graph, rules)
    sites = sites_of(graph, rules, probed)
    steps = {}
    for node in graph.nodes:
        if node in rules:
            why = _reason(node, composite, entries[node])
            steps[node] = _rule_step(node, rules[node], sites[node], why)
        else:
            steps[node] = _own_step(node, graph, probed)
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
    normalization = node.operation.normalization
    return chosen if normalization is None else f"{chosen}; {normalization.name} folded in"


def _rule_step(node, rule, site, why):
    def run(weights, args, kwargs):
        return rule(node.operation, weights, args[0], site)

    layer_type = type(node.operation.layer).__name__
    return Step(rule, layer_type, why, rule.prepare(*node.operation.weights(), site), run)


def _own_step(node, graph, probed):
    """Returns the step of a node without a kernel."""
    operation = node.operation
    if is_transparent(operation) and not (is_plain_relu(operation) and node.outputs[0] in probed):
        return _step(node, "own gradient", "passes values on", graphs.call)
    if is_scaling(operation):
        return _step(node, "unchanged", "preprocessing", _run_passing)
    if is_activation(operation):
        return _step(node, "unchanged", "activation", _run_passing)
    if is_product(operation):
        shares = factor_shares(node, graph)
        words = ", ".join(f"{share:.2g}" for share in shares)
        run = functools.partial(run_product, shares=shares)
        return _step(node, words, "shares of the factors; a gate gets none", run)
    if is_normalization(operation):
        return _step(node, "own gradient", "its deviation held constant", _run_normalizing)
    if is_softmax(operation):
        return _step(node, "own gradient", "softmax", graphs.call)
    return _step(node, "own gradient", "no rule is known", graphs.call, is_fallback=True)


def _step(node, treatment, why, run, is_fallback=False):
    held = tree.flatten((node.args, node.kwargs))
    variables = [leaf for leaf in held if isinstance(leaf, keras.Variable)]
    variables += getattr(node.operation, "variables", [])
    copies = [ops.copy(ops.stop_gradient(variable.value)) for variable in variables]

    def run_with(weights, args, kwargs):
        with keras.StatelessScope(zip(variables, weights, strict=True)):
            return run(node, args=args, kwargs=kwargs)

    operation = node.operation
    name = getattr(operation, "__name__", type(operation).__name__)
    return Step(treatment, name, why, copies, run_with, is_fallback)


def _run_normalizing(node, args, kwargs):
    return run_normalization(node.operation, args[0])


def _run_passing(node, args, kwargs):
    constants = tree.map_structure(ops.stop_gradient, args)
    return pass_on(node.operation(*constants, **kwargs), args[0])
