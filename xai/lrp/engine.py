"""LRP as input times gradient of a surrogate that has the model's values and the rules' gradients.

Relevance of any tensor `a` is `a * d(explained score)/d a`. One reverse pass yields it; branches,
merges, pooling and reshapes need no rule and no division.

Source: Shrikumar et al. 2016 (LRP-0 equals gradient x input on ReLU nets) and Arras et al. 2025
(arXiv 2502.15886) for the gradient form of other rules.
"""

import difflib
import warnings

import numpy as np
from keras import ops, tree

from kerasdl.backend import jit, vjp
from xai.attribution import Attribution
from xai.lrp import composites
from xai.lrp.canonize import canonize
from xai.lrp.conservation import walk
from xai.lrp.plan import plan
from xai.lrp.steering import floor
from xai.model import open_model, scorer

_MOST_COMPILED = 8


class LRP:
    """Layer-wise relevance propagation through a trained model.

    The explainer holds the model's weights as they are when it is made; after further training make
    a new one. The model itself is never changed.

    Args:
        model: A built Sequential or Functional model of one output `(batch, classes)`. A final
            softmax or sigmoid is left off: the explained score is the logit.
        composite: A preset's name (`"epsilon_plus"`), an `xai.Composite`, or one rule for every
            weighted layer.
        strict: Whether a layer without a rule is an error; otherwise it keeps its own gradient and
            a warning lists it.

    Raises:
        TypeError: No Keras model, or no composite.
        ValueError: An unbuilt model, an unknown preset, or, if `strict`, layers without a rule.

    Example:
        >>> attribution = xai.LRP(model, composite="epsilon_plus")(x_test[:8])
        >>> xai.plot.heatmap(attribution)

    Source: Bach et al. 2015, On pixel-wise explanations for non-linear classifier decisions by
    layer-wise relevance propagation (PLoS ONE 10(7)).
    """

    def __init__(self, model, composite="epsilon_plus", strict=False):
        self.model = model
        self.composite = composites.resolve(composite)
        self._open = open_model(model)
        self._graph = canonize(self._open.graph)
        self._steps, self._probed = plan(self._graph, self.composite)
        _report_fallbacks(self._steps, strict)
        self._weights = [step.weights for step in self._steps.values()]
        self._compiled = {}

    def __call__(self, x, target=None, layers=(), batch_size=None):
        """Returns the relevance of every input element for the score of a target.

        Args:
            x: Inputs of the model, `(batch, ...)`.
            target: The class to explain: `None` for the predicted class of each row, an int, one
                int per row, or a callable that maps the scores `(batch, classes)` to `(batch,)`.
            layers: Names of layers whose outputs' relevance is wanted too, from the same pass. A
                layer within a nested model is `"model/layer"`, the second call of a shared layer
                `"layer#2"`.
            batch_size: Rows to explain at once; None for all.

        Returns:
            An `xai.Attribution` whose values have the shape of `x` and the unit of the score, and
            whose `layers` hold the relevance of the outputs of each layer asked for.

        Raises:
            ValueError: Inputs that do not fit the model, an empty batch, NaN, a target out of
                range, an unknown layer, or a model without a gradient path.
        """
        inputs = self._open.check_inputs(x)
        rows = len(tree.flatten(inputs)[0])
        target = self._open.check_target(target, rows)
        taps = {name: self._output_of(name) for name in layers}
        if batch_size is not None and (not isinstance(batch_size, int) or batch_size < 1):
            raise ValueError(f"batch_size is None or a positive int; received {batch_size!r}.")
        parts = []
        for start in range(0, rows, batch_size or rows):
            part = slice(start, start + (batch_size or rows))
            some = tree.map_structure(lambda array, part=part: array[part], inputs)
            parts.append(self._explain(some, target if callable(target) else target[part], taps))
        relevance, inner, score, classes = tree.map_structure(lambda *p: np.concatenate(p), *parts)
        if not any(np.any(values) for values in tree.flatten(relevance)):
            self._open.check_gradient(inputs)
        return Attribution(
            values=relevance,
            inputs=inputs,
            target=None if callable(target) else classes,
            score=score,
            base_score=np.zeros_like(score),
            layers=inner,
            method="lrp",
            settings={"composite": repr(self.composite)},
        )

    def summary(self):
        """Returns a table of how relevance passes through each call of a layer.

        Returns:
            A `pandas.DataFrame` with the columns `layer`, `type`, `rule` (the rule of a weighted
            layer, or in words what takes its place), `why` and `fallback`, true where no rule is
            known and the layer keeps its own gradient.
        """
        import pandas as pd

        rows = [
            {
                "layer": node.name,
                "type": step.type,
                "rule": str(step.treatment),
                "why": step.why,
                "fallback": step.is_fallback,
            }
            for node, step in self._steps.items()
        ]
        return pd.DataFrame(rows)

    def conservation(self, x, target=None):
        """Returns a table of what each layer receives, hands on and absorbs of the relevance.

        Args:
            x: Inputs of the model, `(batch, ...)`.
            target: See the call.

        Returns:
            A `pandas.DataFrame` in the order of the relevance's way, from the output on, with the
            columns `layer`, `rule`, `received`, `handed_on`, `bias`, `epsilon` and `fallback`: the
            last three sum to what was received and not handed on. All are means over the rows, in
            the unit of the score. What a layer without a kernel adds counts as bias.

        Raises:
            ValueError: See the call.
        """
        import pandas as pd

        inputs = self._open.check_inputs(x)
        target = self._open.check_target(target, len(tree.flatten(inputs)[0]))
        if not callable(target):
            _, _, _, target = self._explain(inputs, target, {})
        classes = None if callable(target) else ops.convert_to_tensor(target)
        score_of = scorer(target)
        balance = walk(
            self._graph,
            self._steps,
            self._probed,
            tree.map_structure(ops.convert_to_tensor, inputs),
            lambda scores: score_of(scores, classes),
        )
        rows = [
            {"layer": node.name, "rule": str(self._steps[node].treatment), **parts}
            for node, parts in balance.items()
        ]
        return pd.DataFrame(rows)

    def _output_of(self, name):
        """Returns the place of a layer's outputs, its activation and what it holds included."""
        nodes = self._graph.nodes
        found = [n for n in nodes if n.name == name or n.name.startswith(f"{name}/")]
        if not found:
            names = dict.fromkeys(node.name.removesuffix("/activation") for node in nodes)
            near = difflib.get_close_matches(str(name), names, n=5, cutoff=0.0)
            raise ValueError(
                f"The model {self.model.name!r} has no layer {name!r}; the nearest are "
                f"{', '.join(map(repr, near))}."
            )
        (place, *others) = found[-1].outputs
        if others or None in place.shape[1:]:
            raise ValueError(
                f"The layer {name!r} has outputs of shape {[p.shape for p in found[-1].outputs]}; "
                "relevance can be returned of one output of a known shape."
            )
        return place

    def _explain(self, inputs, target, taps):
        key = (target if callable(target) else None, tuple(taps))
        if key not in self._compiled:
            if len(self._compiled) == _MOST_COMPILED:  # there is no end of lambdas
                self._compiled.clear()
            self._compiled[key] = jit(self._relevance_of(scorer(target), taps))
        classes = np.zeros(len(tree.flatten(inputs)[0]), "int32") if callable(target) else target
        tensors = tree.map_structure(ops.convert_to_tensor, inputs)
        outputs = self._compiled[key](self._weights, tensors, ops.convert_to_tensor(classes))
        return tree.map_structure(ops.convert_to_numpy, outputs)

    def _relevance_of(self, score_of, taps):
        """Returns the function to compile: weights, inputs, classes to relevances, score, class."""

        def relevance(weights, inputs, classes):
            rows = ops.shape(tree.flatten(inputs)[0])[0]
            zeros = {name: ops.zeros((rows, *taps[name].shape[1:])) for name in taps}
            (scores, values), pullback = vjp(
                lambda pair: self._surrogate(weights, *pair, taps), (inputs, zeros)
            )
            predicted = ops.cast(ops.argmax(scores, axis=-1), "int32")
            classes = ops.where(classes < 0, predicted, classes)
            score, pull_scores = vjp(lambda scores: score_of(scores, classes), scores)
            nothing = tree.map_structure(ops.zeros_like, values)
            gradients, inner = pullback((pull_scores(ops.ones_like(score)), nothing))
            relevances = tree.map_structure(self._times, self._graph.inputs, inputs, gradients)
            inner = {name: self._times(taps[name], values[name], inner[name]) for name in taps}
            return relevances, inner, score, classes

        return relevance

    def _times(self, place, values, gradient):
        """Returns the relevance of a tensor; a probed one has some where its value is zero."""
        return (floor(values) if place in self._probed else values) * gradient

    def _surrogate(self, weights, inputs, zeros, taps):
        """Returns the model's scores, with the gradients that the rules prescribe, and the taps.

        A tap is a zero added to a layer's output: the gradient for it is that for the output.
        """
        by_node = dict(zip(self._graph.nodes, weights, strict=True))
        names = {place: name for name, place in taps.items()}
        values = {}

        def call(node, args, kwargs):
            outputs = self._steps[node].run(by_node[node], args, kwargs)
            name = names.get(node.outputs[0])
            if name is None:
                return outputs
            values[name] = outputs + zeros[name]
            return values[name]

        return self._graph.run(inputs, call), values


def _report_fallbacks(steps, strict):
    """Names all layers without a rule in one error or one warning."""
    names = ", ".join(
        f"{node.name} ({type(node.operation).__name__})"
        for node, step in steps.items()
        if step.is_fallback
    )
    if names and strict:
        raise ValueError(
            f"LRP has no rule for {names}. Pass strict=False to let them keep their own gradient."
        )
    if names:
        warnings.warn(
            f"LRP has no rule for {names}: their own gradient is used, and relevance may not be "
            "conserved there.",
            stacklevel=3,
        )
