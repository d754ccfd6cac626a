"""Layer-wise relevance propagation: the explainer that users make of a model."""

import functools
import warnings

import numpy as np
from keras import ops, tree

from kerasdl.backend import jit
from xai.attribution import Attribution
from xai.layer_output import find_output
from xai.lrp import composites, concepts
from xai.lrp.canonize import canonize
from xai.lrp.conservation import walk
from xai.lrp.plan import plan
from xai.lrp.surrogate import Surrogate
from xai.model import check_batch_size, open_model, scorer

_MOST_COMPILED = 8


class LRP:
    """Layer-wise relevance propagation through a trained model.

    The explainer holds the model's weights as they are when it is made; after further training make
    a new one. The model itself is never changed. It computes in float32 at least, also where the
    model has a policy of float16 or bfloat16.

    Args:
        model: A built Keras model: Sequential, Functional, or one with a `call` of its own.
        composite: A preset's name (`"epsilon_plus"`), an `xai.Composite`, or one rule for every
            weighted layer.
        strict: Whether a layer without a rule is an error; otherwise it keeps its own gradient and
            a warning lists it.
        output: `"auto"` leaves a final softmax or sigmoid off: the explained score is the logit.
            `"probability"` keeps it.

    Raises:
        TypeError: No Keras model, or no composite.
        ValueError: An unbuilt model, an unknown preset, or, if `strict`, layers without a rule.

    Example:
        >>> attribution = xai.LRP(model, composite="epsilon_plus")(x_test[:8])
        >>> xai.plot.heatmap(attribution)

    Source: Bach et al. 2015, On pixel-wise explanations for non-linear classifier decisions by
    layer-wise relevance propagation (PLoS ONE 10(7)).
    """

    def __init__(self, model, composite="epsilon_plus", strict=False, output="auto"):
        self.model = model
        self.composite = composites.resolve(composite)
        self._open = open_model(model, output)
        graph = canonize(self._open.graph)
        steps, probed = plan(graph, self.composite)
        _report_fallbacks(steps, strict)
        self._surrogate = Surrogate(graph, steps, probed, self.composite.relu_gradient is None)
        self._weights = [step.weights for step in steps.values()]
        self._settings = {"composite": repr(self.composite), "output": output}
        self._compiled = {}

    def __call__(self, x, target=None, layers=(), batch_size=None, through=None):
        """Returns the relevance of every input element for the score of a target.

        Args:
            x: Inputs of the model, `(batch, ...)`; integers such as tokens get one value each.
            target: The class to explain: `None` for the predicted class of each row, an int, one
                int per row, or a callable that maps the scores `(batch, classes)` to `(batch,)`. Of
                a model of several outputs, a pair `(output, class)` with the output's name or
                index, or a callable of all outputs.
            layers: Names of layers whose outputs' relevance is wanted too, from the same pass. A
                layer within a nested model is `"model/layer"`, or `"layer"` where no other has
                that name; the second call of a shared layer is `"layer#2"`.
            batch_size: Rows to explain at once; None for all, which JAX compiles for each number
                of rows.
            through: Concept-conditional relevance: a dict of layer names to the channels of their
                outputs through which alone relevance may pass, an int, several, or a bool array
                `(batch, channels)`. Source: Achtibat et al. 2023, From attribution maps to
                human-understandable explanations through concept relevance propagation.

        Returns:
            An `xai.Attribution` whose values have the shape of `x` and the unit of the score, and
            whose `layers` hold the relevance of the outputs of each layer asked for.

        Raises:
            ValueError: Inputs that do not fit the model, an empty batch, NaN, a target out of
                range, an unknown layer or channel, or a model without a gradient path.
        """
        inputs, rows = self._check_inputs(x)
        output, target = self._open.choose_output(target)
        target = self._open.check_target(target, rows, output)
        masks = concepts.masks({} if through is None else through, self._output_of, rows)
        taps = {name: self._output_of(name)[0] for name in dict.fromkeys([*layers, *masks])}
        sizes = self._surrogate.sizes(list(taps.values()), inputs)
        explain = self._explainer(target, output, taps, masks, sizes)
        parts = [
            explain(*_rows((inputs, target, masks), part))
            for part in _batches(rows, check_batch_size(batch_size))
        ]
        relevance, inner, score, classes = tree.map_structure(
            lambda *arrays: np.concatenate(arrays)[:rows], *parts
        )
        if not any(np.any(values) for values in tree.flatten(relevance)):
            self._open.check_gradient(inputs)
        names = self._open.output_names
        one_of_several = len(names) > 1 and not callable(target)
        chosen = {"target_output": names[output]} if one_of_several else {}
        return Attribution(
            values=relevance,
            inputs=inputs,
            target=None if callable(target) else classes,
            score=score,
            base_score=np.zeros_like(score),
            layers={name: inner[name] for name in layers},
            method="lrp",
            settings={**self._settings, **chosen},
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
            for node, step in self._surrogate.steps.items()
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

        inputs, rows = self._check_inputs(x)
        output, target = self._open.choose_output(target)
        target = self._open.check_target(target, rows, output)
        if not callable(target):
            *_, target = self._explainer(target, output, {}, {})(inputs, target, {})
        score_of = functools.partial(scorer(target, output), classes=target)
        balance = walk(self._surrogate, inputs, score_of)
        rows = [
            {"layer": node.name, "rule": str(self._surrogate.steps[node].treatment), **parts}
            for node, parts in balance.items()
        ]
        return pd.DataFrame(rows)

    def _check_inputs(self, x):
        """Returns checked inputs and the number of rows."""
        inputs = self._open.check_inputs(x)
        return inputs, len(tree.flatten(inputs)[0])

    def _output_of(self, name):
        """Returns the place of a layer's outputs, its activation included, and the channel axis."""
        return find_output(self._surrogate.graph, name, self.model.name)

    def _explainer(self, target, output, taps, masks, sizes=()):
        """Returns the function of inputs, classes and masks that explains a batch, compiled."""
        by_class = not callable(target)
        key = (None if by_class else target, output, tuple(taps), tuple(masks), tuple(sizes))
        if key not in self._compiled:
            if len(self._compiled) == _MOST_COMPILED:  # there is no end of lambdas
                self._compiled.clear()
            relevance = functools.partial(
                self._surrogate.relevance,
                taps=taps,
                sizes=sizes,
                score_of=scorer(target, output),
                output=output if by_class else None,
            )
            self._compiled[key] = jit(relevance)

        def explain(inputs, classes, masks):
            if not by_class:
                classes = np.zeros(len(tree.flatten(inputs)[0]), "int32")
            tensors = tree.map_structure(ops.convert_to_tensor, (inputs, classes, masks))
            outputs = self._compiled[key](self._weights, *tensors)
            return tree.map_structure(ops.convert_to_numpy, outputs)

        return explain


def _batches(rows, batch_size):
    """Yields the indices of the rows of each batch; the last repeats a row rather than be short.

    A batch of another size would be compiled anew.
    """
    size = batch_size or rows
    for start in range(0, rows, size):
        yield np.minimum(np.arange(start, start + size), rows - 1)


def _rows(structure, part):
    """Returns a structure with some rows of its arrays; a callable stands for every row."""
    return tree.map_structure(lambda leaf: leaf if callable(leaf) else leaf[part], structure)


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
