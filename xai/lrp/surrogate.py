"""The surrogate of a model: its values, with the gradients that the rules prescribe.

Relevance of any tensor `a` is `a * d(explained score)/d a`. One reverse pass yields it; branches,
merges, pooling and reshapes need no rule and no division.

Source: Shrikumar et al. 2016 (LRP-0 equals gradient x input on ReLU nets) and Arras et al. 2025
(arXiv 2502.15886) for the gradient form of other rules.
"""

import dataclasses

from keras import ops, tree

from kerasdl.backend import vjp
from xai.graph import Graph
from xai.lrp.precision import raised
from xai.lrp.steering import floor, scale_gradient
from xai.model import class_scores


@dataclasses.dataclass(frozen=True, eq=False)
class Surrogate:
    """A canonized graph and how its nodes are run.

    Attributes:
        graph: The graph.
        steps: The step of each node.
        probed: The tensors that may have relevance where they are zero.
        times_input: Whether relevance is wanted, the input times its gradient, or the gradient.
    """

    graph: Graph
    steps: dict
    probed: set
    times_input: bool = True

    def relevance(self, weights, inputs, classes, masks, *, taps, sizes, score_of, output):
        """Returns relevances of inputs and taps, the scores and the classes explained.

        Args:
            weights: Of each node, in order.
            inputs: Tensors of the graph's structure.
            classes: `(batch,)`, -1 for the predicted one.
            masks: By names in `taps`, what the relevance of some of them is multiplied by.
            taps: Names of the tensors whose relevance is wanted too, to their places.
            sizes: The shapes of the taps without the batch.
            score_of: A function of outputs and classes to scores `(batch,)`, see `xai.model`.
            output: The index of the output that has the classes, None if classes say nothing.
        """
        inputs = tree.map_structure(_as_float, self.graph.inputs, inputs)
        rows = ops.shape(tree.flatten(inputs)[0])[0]
        zeros = {
            name: ops.zeros((rows, *size), raised(place.dtype))
            for (name, place), size in zip(taps.items(), sizes, strict=True)
        }
        (outputs, values), pullback = vjp(
            lambda pair: self._run(weights, *pair, taps, masks), (inputs, zeros)
        )
        if output is not None:
            predicted = ops.argmax(class_scores(outputs, output), axis=-1)
            classes = ops.where(classes < 0, ops.cast(predicted, "int32"), classes)
        score, pull_scores = vjp(lambda outputs: score_of(outputs, classes), outputs)
        nothing = tree.map_structure(ops.zeros_like, values)
        gradients, inner = pullback((pull_scores(ops.ones_like(score)), nothing))
        relevances = tree.map_structure(self.times, self.graph.inputs, inputs, gradients)
        inner = {name: self.times(taps[name], values[name], inner[name]) for name in taps}
        return relevances, inner, score, classes

    def sizes(self, places, inputs):
        """Returns the shapes that tensors have, without the batch, for these inputs.

        Where the graph does not know them, the first row is run.
        """
        if not any(None in place.shape[1:] for place in places):
            return [place.shape[1:] for place in places]
        _, values = self.values(tree.map_structure(lambda array: array[:1], inputs))
        return [tuple(values[place].shape[1:]) for place in places]

    def values(self, inputs):
        """Returns the outputs of the graph for inputs, and the values of all its tensors."""
        inputs = tree.map_structure(_as_float, self.graph.inputs, inputs)
        values = dict(zip(tree.flatten(self.graph.inputs), tree.flatten(inputs), strict=True))

        def record(node, args, kwargs):
            outputs = self.steps[node].run(self.steps[node].weights, args, kwargs)
            values.update(zip(node.outputs, tree.flatten(outputs), strict=True))
            return outputs

        return self.graph.run(inputs, record), values

    def times(self, place, values, gradient):
        """Returns the relevance of a tensor; a probed one has some where its value is zero."""
        if not self.times_input:
            return gradient
        return (floor(values) if place in self.probed else values) * gradient

    def _run(self, weights, inputs, zeros, taps, masks):
        """Returns the outputs of the graph, and the values of the taps.

        A tap is a zero added to a tensor: the gradient for it is that for the tensor.
        """
        by_node = dict(zip(self.graph.nodes, weights, strict=True))
        names = {place: name for name, place in taps.items()}
        values = {}

        def call(node, args, kwargs):
            outputs = self.steps[node].run(by_node[node], args, kwargs)
            name = names.get(node.outputs[0])
            if name is None:
                return outputs
            values[name] = outputs + zeros[name]
            return scale_gradient(values[name], masks[name]) if name in masks else values[name]

        return self.graph.run(inputs, call), values


def _as_float(place, values):
    """Returns integers as floating-point numbers that stand for them and have a gradient."""
    return ops.cast(values, raised(place.dtype))
