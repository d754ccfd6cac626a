"""LRP as input times gradient of a surrogate that has the model's values and the rules' gradients.

Relevance of any tensor `a` is `a * d(explained score)/d a`. One reverse pass yields it; branches,
merges, pooling and reshapes need no rule and no division.

Source: Shrikumar et al. 2016 (LRP-0 equals gradient x input on ReLU nets) and Arras et al. 2025
(arXiv 2502.15886) for the gradient form of other rules.
"""

import warnings

import numpy as np
from keras import ops, tree

from kerasdl.backend import jit, vjp
from xai.attribution import Attribution
from xai.lrp import composites
from xai.lrp.canonize import canonize
from xai.lrp.plan import plan
from xai.lrp.steering import floor
from xai.model import open_model, scorer


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

    def __call__(self, x, target=None):
        """Returns the relevance of every input element for the score of a target.

        Args:
            x: Inputs of the model, `(batch, ...)`.
            target: The class to explain: `None` for the predicted class of each row, an int, one
                int per row, or a callable that maps the scores `(batch, classes)` to `(batch,)`.

        Returns:
            An `xai.Attribution` whose values have the shape of `x` and the unit of the score.

        Raises:
            ValueError: Inputs that do not fit the model, an empty batch, NaN, a target out of
                range, or a model without a gradient path.
        """
        inputs = self._open.check_inputs(x)
        batch = len(tree.flatten(inputs)[0])
        checked = self._open.check_target(target, batch)
        relevance, score, classes = self._explain(inputs, checked)
        if not any(np.any(values) for values in tree.flatten(relevance)):
            self._open.check_gradient(inputs)
        return Attribution(
            values=relevance,
            inputs=inputs,
            target=classes,
            score=score,
            base_score=np.zeros_like(score),
            method="lrp",
            settings={"composite": repr(self.composite)},
        )

    def _explain(self, inputs, target):
        key = target if callable(target) else None
        if key not in self._compiled:  # only the last is kept, for there is no end of lambdas
            self._compiled = {key: jit(self._relevance_of(scorer(target)))}
        classes = np.zeros(len(tree.flatten(inputs)[0]), "int32") if key else target
        tensors = tree.map_structure(ops.convert_to_tensor, inputs)
        outputs = self._compiled[key](self._weights, tensors, ops.convert_to_tensor(classes))
        relevance, score, classes = tree.map_structure(ops.convert_to_numpy, outputs)
        return relevance, score, None if key else classes

    def _relevance_of(self, score_of):
        """Returns the function to compile: weights, inputs, classes to relevance, score, class."""

        def relevance(weights, inputs, classes):
            scores, pull_inputs = vjp(lambda tensors: self._surrogate(weights, tensors), inputs)
            predicted = ops.cast(ops.argmax(scores, axis=-1), "int32")
            classes = ops.where(classes < 0, predicted, classes)
            score, pull_scores = vjp(lambda values: score_of(values, classes), scores)
            gradients = pull_inputs(pull_scores(ops.ones_like(score)))
            relevances = tree.map_structure(self._times, self._graph.inputs, inputs, gradients)
            return relevances, score, classes

        return relevance

    def _times(self, place, values, gradient):
        """Returns the relevance of a tensor; a probed one has some where its value is zero."""
        return (floor(values) if place in self._probed else values) * gradient

    def _surrogate(self, weights, inputs):
        """Returns the model's scores, with the gradients that the rules prescribe."""
        by_node = dict(zip(self._graph.nodes, weights, strict=True))
        return self._graph.run(
            inputs, lambda node, args, kwargs: self._steps[node].run(by_node[node], args, kwargs)
        )


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
