"""Where relevance goes: what each layer receives, hands on and absorbs."""

import numpy as np
from keras import ops, tree

from kerasdl.backend import vjp
from xai.lrp.steering import floor


def walk(graph, steps, probed, inputs, score_of):
    """Returns what becomes of the relevance at each node, by explicit backpropagation.

    Args:
        graph: A canonized graph.
        steps: The step of each of its nodes.
        probed: Tensors with relevance where they are zero.
        inputs: Tensors of the graph's structure.
        score_of: A function of the scores `(batch, outputs)` to `(batch,)`.

    Returns:
        For each node, from the output on, a dict of numbers, each the mean over the rows:
        `received`, `handed_on`, and of their difference what `bias`, `epsilon` and `fallback`
        absorbed. What a layer without a kernel adds or subtracts counts as bias.
    """
    values = {}
    places = tree.flatten(graph.inputs)
    values.update(zip(places, tree.flatten(inputs), strict=True))

    def record(node, args, kwargs):
        outputs = steps[node].run(steps[node].weights, args, kwargs)
        values.update(zip(node.outputs, tree.flatten(outputs), strict=True))
        return outputs

    scores = graph.run(inputs, record)
    score, pullback = vjp(score_of, scores)
    gradients = {graph.outputs: pullback(ops.ones_like(score))}
    balance = {}
    for node in reversed(graph.nodes):
        if any(place in gradients for place in node.outputs):
            balance[node] = _pass_through(node, steps[node], probed, values, gradients)
    return balance


def _pass_through(node, step, probed, values, gradients):
    """Adds a node's part to the gradients of what it reads; returns its balance."""
    read = list(dict.fromkeys(node.inputs))
    known = [gradients.get(p, ops.zeros_like(values[p])) for p in node.outputs]
    biases = _biases(step.weights)

    def run(pair):
        tensors, some = pair
        args, kwargs = node.fill({p.key: t for p, t in zip(read, tensors, strict=True)})
        return tree.flatten(step.run(_with_biases(step.weights, some), args, kwargs))

    _, pullback = vjp(run, ([values[place] for place in read], biases))
    handed, to_biases = pullback(known)
    rows = len(values[read[0]])

    def total(places, given):
        return sum(_relevance(p, values[p], g, probed) for p, g in zip(places, given, strict=True))

    received = total(node.outputs, known) / rows
    handed_on = total(read, handed) / rows
    bias = sum(_sum(b * g) for b, g in zip(biases, to_biases, strict=True)) / rows
    for place, gradient in zip(read, handed, strict=True):
        gradients[place] = gradients[place] + gradient if place in gradients else gradient
    absorbed = _absorbed(step, received - handed_on, bias)
    return {"received": received, "handed_on": handed_on, **absorbed}


def _absorbed(step, absorbed, bias):
    """Splits what a node absorbed into causes."""
    if step.is_fallback:
        return {"bias": 0.0, "epsilon": 0.0, "fallback": absorbed}
    if isinstance(step.weights, dict):  # a rule
        return {"bias": bias, "epsilon": absorbed - bias, "fallback": 0.0}
    return {"bias": absorbed, "epsilon": 0.0, "fallback": 0.0}


def _relevance(place, value, gradient, probed):
    return _sum((floor(value) if place in probed else value) * gradient)


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
