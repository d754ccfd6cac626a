"""Opening a trained model: scores without a final softmax, checked inputs and targets."""

import dataclasses

import keras
import numpy as np
from keras import ops, tree

from kerasdl.backend import vjp
from xai import graph as graphs
from xai.tracing import flatten

_HEADS = {"softmax", "sigmoid", "log_softmax", "log_sigmoid"}
OUTPUTS = ("auto", "probability")


@dataclasses.dataclass(frozen=True, eq=False)
class OpenModel:
    """A trained model as the methods see it.

    Attributes:
        model: The user's model, unchanged.
        graph: Its graph; the heads are left off unless probabilities were asked for.
        heads: For each output, flat, the node that was left off, or None.
    """

    model: object
    graph: graphs.Graph
    heads: tuple

    @property
    def num_outputs(self):
        """The number of scores per row of a model of one output."""
        return self.graph.outputs.shape[-1]

    @property
    def head(self):
        """What was left off a model of one output, or None."""
        return self.heads[0]

    @property
    def output_names(self):
        """The keys of the outputs, or else the names of the layers that make them."""
        if isinstance(self.graph.outputs, dict):
            return sorted(self.graph.outputs)  # as they are flattened
        makers = (
            head or self.graph.producer(place)
            for head, place in zip(self.heads, tree.flatten(self.graph.outputs), strict=True)
        )
        return [maker.name.removesuffix("/activation") if maker else "" for maker in makers]

    def require_classes(self):
        """Refuses a model of other outputs than one of shape `(batch, classes)`.

        Raises:
            ValueError: There are several, or it has another rank.
        """
        shapes = [place.shape for place in tree.flatten(self.graph.outputs)]
        if len(shapes) != 1 or len(shapes[0]) != 2:
            raise ValueError(
                f"The model {self.model.name!r} has outputs of shape {shapes}; this method "
                "explains one output of shape (batch, classes). Build a model of the output to "
                "explain: keras.Model(model.inputs, model.outputs[0])."
            )

    def scores(self, inputs):
        """Returns the scores of a batch of tensors, `(batch, num_outputs)`."""
        return self.graph.run(inputs, graphs.call)

    def check_inputs(self, inputs):
        """Returns inputs as arrays of the model's structure and dtypes.

        Raises:
            ValueError: Another structure or shape than the model's, an empty batch, or NaN.
        """
        places = self.graph.inputs
        arrays = tree.map_structure(self._check_array, self._structured(inputs), places)
        sizes = {len(array) for array in tree.flatten(arrays)}
        if len(sizes) > 1:
            raise ValueError(f"The inputs have different batch sizes: {sorted(sizes)}.")
        return arrays

    def _structured(self, inputs):
        places = self.graph.inputs
        try:
            tree.assert_same_structure(inputs, places)
        except (ValueError, TypeError):
            if isinstance(places, graphs.Tensor) and not isinstance(inputs, dict):
                return np.asarray(inputs)
            raise ValueError(
                f"The model {self.model.name!r} takes inputs of the structure "
                f"{tree.map_structure(lambda place: place.shape, places)}; received "
                f"{type(inputs).__name__}."
            ) from None
        return inputs

    def _check_array(self, array, place):
        array = np.asarray(ops.convert_to_numpy(array))
        expected = ("batch", *place.shape[1:])
        fits = array.ndim == len(place.shape) and all(
            size in (None, given)
            for size, given in zip(place.shape[1:], array.shape[1:], strict=True)
        )
        if not fits:
            raise ValueError(
                f"The model {self.model.name!r} takes inputs of shape {expected}; received "
                f"{array.shape}. A single example needs a batch axis: x[np.newaxis]."
            )
        if len(array) == 0:
            raise ValueError(f"Received an empty batch of shape {array.shape}; expected rows.")
        if not np.isfinite(array).all():  # integers always are
            bad = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))
            raise ValueError(
                f"The inputs have NaN or infinite values in {len(bad)} of {len(array)} rows "
                f"(first: row {bad[0]}). Impute or drop these rows."
            )
        return array.astype(place.dtype)

    def choose_output(self, target):
        """Returns the index of the output that a target is of, and the target within it.

        Args:
            target: Of a model of several outputs, a pair `(output, target)` with an output's name
                or index, or a callable of all outputs; else as `check_target` takes it.

        Raises:
            ValueError: It names no output of several.
        """
        names = self.output_names
        if len(names) == 1 or callable(target):
            return 0, target
        is_pair = isinstance(target, tuple) and len(target) == 2
        output, target = target if is_pair else (target, None)
        if is_pair and output in names:
            return names.index(output), target
        if is_pair and isinstance(output, int) and 0 <= output < len(names):
            return output, target
        raise ValueError(
            f"The model {self.model.name!r} has the outputs {', '.join(map(repr, names))}: a "
            f"target is a pair such as ({names[0]!r}, 0) or ({names[0]!r}, None), or a callable "
            f"of all outputs; received {output!r}."
        )

    def check_target(self, target, batch, output=0):
        """Returns a target as an int array `(batch,)`, -1 for the predicted class, or a callable.

        Raises:
            ValueError: A class out of range, another number of targets than rows, or a class of an
                output that has no classes.
        """
        if callable(target):
            return target
        place = tree.flatten(self.graph.outputs)[output]
        if len(place.shape) > 2:
            raise ValueError(
                f"The model {self.model.name!r} has outputs of shape {place.shape}: a target is a "
                "callable that makes one score per row of it, such as lambda y: y[:, 0, 0]."
            )
        if target is None:
            return np.full(batch, -1, "int32")
        target = np.asarray(target)
        if not np.issubdtype(target.dtype, np.integer) or target.shape not in ((), (batch,)):
            raise ValueError(
                "A target is None (the predicted class), an int, one int per row, or a callable "
                f"outputs -> (batch,); received {target.dtype} of shape {target.shape} for "
                f"{batch} rows."
            )
        classes = np.atleast_1d(target)
        num_classes = (*place.shape, 1)[1]
        bad = classes[(classes < 0) | (classes >= num_classes)]
        if len(bad):
            raise ValueError(
                f"The target {bad[0]} is out of range: the model {self.model.name!r} has "
                f"{num_classes} outputs, 0 to {num_classes - 1}."
            )
        return np.broadcast_to(target, batch).astype("int32")

    def check_gradient(self, inputs):
        """Refuses a model whose outputs do not depend on its inputs by any gradient.

        To be called when a gradient was zero throughout: that may be chance (dead units), so other
        inputs of several scales are tried.

        Raises:
            ValueError: The gradient is zero there too.
        """
        if not all(place.is_float for place in tree.flatten(self.graph.inputs)):
            return  # tokens have no gradient, and no noise
        random = np.random.default_rng(0)
        for scale in (0.1, 1.0, 10.0):
            probe = tree.map_structure(
                lambda array, scale=scale: (
                    array[:1]
                    + scale * random.standard_normal((8, *array.shape[1:])).astype(array.dtype)
                ),
                inputs,
            )
            scores, pullback = vjp(self.scores, tree.map_structure(ops.convert_to_tensor, probe))
            gradients = tree.flatten(pullback(tree.map_structure(ops.ones_like, scores)))
            if any(np.any(ops.convert_to_numpy(gradient)) for gradient in gradients):
                return
        raise ValueError(
            f"The model {self.model.name!r} has no gradient path from its inputs to its outputs: "
            "an operation such as argmax, round or stop_gradient cuts it. Use SampledShapley, "
            "which needs none, or replace that operation."
        )


def open_model(model, output="auto"):
    """Opens a built model.

    Args:
        model: A Keras model; it is not changed.
        output: `"auto"` leaves a final softmax or sigmoid off, so that scores are logits;
            `"probability"` keeps it.

    Raises:
        TypeError: `model` is no Keras model, or one that cannot be run symbolically.
        ValueError: The model is not built, or `output` is unknown.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"Expected a keras.Model; received {type(model).__name__}: {model!r}.")
    if output not in OUTPUTS:
        raise ValueError(f"output is one of {', '.join(map(repr, OUTPUTS))}; received {output!r}.")
    graph = flatten(model)
    if isinstance(graph.outputs, list | tuple) and len(graph.outputs) == 1:
        graph = dataclasses.replace(graph, outputs=graph.outputs[0])
    places = tree.flatten(graph.outputs)
    heads = tuple(None if output == "probability" else _head(place, graph) for place in places)
    before = {place: head.inputs[0] for place, head in zip(places, heads, strict=True) if head}
    unread = [head for place, head in zip(places, heads, strict=True) if not graph.readers[place]]
    nodes = tuple(node for node in graph.nodes if node not in unread)
    outputs = tree.map_structure(lambda place: before.get(place, place), graph.outputs)
    return OpenModel(model, graphs.Graph(graph.inputs, outputs, nodes), heads)


def _head(place, graph):
    """Returns the softmax or sigmoid that makes an output, None where another node does."""
    node = graph.producer(place)
    return node if node is not None and _function_name(node.operation) in _HEADS else None


def check_batch_size(batch_size):
    """Returns a number of rows to run at once, None for the method's own choice.

    Raises:
        ValueError: Neither None nor a positive int.
    """
    if batch_size is not None and (not isinstance(batch_size, int) or batch_size < 1):
        raise ValueError(f"batch_size is None or a positive int; received {batch_size!r}.")
    return batch_size


def scorer(target, output=0):
    """Returns the function of the model's outputs and classes `(batch,)` to scores `(batch,)`.

    Args:
        target: A callable of the outputs, which decides alone, or anything else: the classes do.
        output: The index of the output, `(batch, classes)` or `(batch,)`, that has the classes.
    """
    if not callable(target):

        def pick(outputs, classes):
            scores = class_scores(outputs, output)
            return ops.take_along_axis(scores, classes[:, None], axis=1)[:, 0]

        return pick

    def score(outputs, classes):
        values = target(outputs)
        if len(values.shape) != 1:
            shapes = [tuple(tensor.shape) for tensor in tree.flatten(outputs)]
            raise ValueError(
                "A callable target maps scores (batch, outputs) to one value per row, (batch,); "
                f"from {shapes[0] if len(shapes) == 1 else shapes} it made {tuple(values.shape)}."
            )
        return values

    return score


def class_scores(outputs, output=0):
    """Returns one of a model's outputs as `(batch, classes)`."""
    scores = tree.flatten(outputs)[output]
    return scores[:, None] if len(scores.shape) == 1 else scores


def _function_name(operation):
    """The name of the activation that an operation applies, however it is attached."""
    if isinstance(operation, keras.layers.Activation):
        operation = operation.activation
    name = getattr(operation, "__name__", type(operation).__name__)
    return {"Softmax": "softmax", "Sigmoid": "sigmoid"}.get(name, name)
