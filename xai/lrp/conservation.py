"""Where relevance goes: what each layer receives, hands on and absorbs."""

import numpy as np
from keras import ops, tree

from kerasdl.backend import vjp
from xai.lrp.precision import is_float


def walk(surrogate, inputs, score_of):
    """Returns what becomes of the relevance at each node, by explicit backpropagation.

    Args:
        surrogate: A `Surrogate`.
        inputs: Arrays of its graph's structure.
        score_of: A function of the graph's outputs to scores `(batch,)`.

    Returns:
        For each node, from the output on, a dict of numbers, each the mean over the rows:
        `received`, `handed_on`, and of their difference what `bias`, `epsilon` and `fallback`
        absorbed. What a layer without a kernel adds or subtracts counts as bias.
    """
    graph, steps = surrogate.graph, surrogate.steps
    outputs, values = surrogate.values(inputs)
    score, pullback = vjp(score_of, outputs)
    start = tree.flatten(pullback(ops.ones_like(score)))
    gradients = {}
    for place, gradient in zip(tree.flatten(graph.outputs), start, strict=True):
        gradients[place] = gradients[place] + gradient if place in gradients else gradient
    balance = {}
    for node in reversed(graph.nodes):
        if any(place in gradients for place in node.outputs):
            balance[node] = _pass_through(node, steps[node], surrogate, values, gradients)
    return balance


def _pass_through(node, step, surrogate, values, gradients):
    """Adds a node's part to the gradients of what it reads; returns its balance."""
    read = [p for p in dict.fromkeys(node.inputs) if is_float(values[p])]
    written = [p for p in node.outputs if is_float(values[p])]
    known = [gradients.get(p, ops.zeros_like(values[p])) for p in written]
    biases = _biases(step.weights)

    def run(pair):
        tensors, some = pair
        known = {place.key: values[place] for place in node.inputs}
        args, kwargs = node.fill({**known, **_by_key(read, tensors)})
        outputs = tree.flatten(step.run(_with_biases(step.weights, some), args, kwargs))
        return [o for p, o in zip(node.outputs, outputs, strict=True) if p in written]

    _, pullback = vjp(run, ([values[place] for place in read], biases))
    handed, to_biases = pullback(known)

    def total(places, given):
        pairs = zip(places, given, strict=True)
        return sum(_mean(surrogate.times(p, values[p], gradient)) for p, gradient in pairs)

    received = total(written, known)
    handed_on = total(read, handed)
    rows = len(values[node.outputs[0]])
    bias = sum(_sum(b * g) for b, g in zip(biases, to_biases, strict=True)) / rows
    for place, gradient in zip(read, handed, strict=True):
        gradients[place] = gradients[place] + gradient if place in gradients else gradient
    absorbed = _absorbed(step, received - handed_on, bias)
    return {"received": received, "handed_on": handed_on, **absorbed}


def _by_key(places, values):
    return {place.key: value for place, value in zip(places, values, strict=True)}


def _absorbed(step, absorbed, bias):
    """Splits what a node absorbed into causes."""
    if step.is_fallback:
        return {"bias": 0.0, "epsilon": 0.0, "fallback": absorbed}
    if isinstance(step.weights, dict):  # a rule
        return {"bias": bias, "epsilon": absorbed - bias, "fallback": 0.0}
    return {"bias": absorbed, "epsilon": 0.0, "fallback": 0.0}


def _mean(relevance):
    """Returns the relevance of a tensor, summed, in the mean over the rows."""
    return _sum(relevance) / len(relevance)


def _sum(tensor):
    return float(np.sum(ops.convert_to_numpy(tensor), dtype="float64"))


def _biases(weights):
    """Returns the biases among a rule's weights, pairs of kernel and bias."""
    if not isinstance(weights, dict):
        return []
    return [bias for _, bias in weights.values() if bias is not None]


def _with_biases(weights, biases):
    """Returns a rule's weights with other biases."""
    if not biases:
        return weights
    remaining = iter(biases)
    return {
        name: [kernel, None if bias is None else next(remaining)]
        for name, (kernel, bias) in weights.items()
    }
