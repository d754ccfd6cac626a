"""Opening a trained model: scores without a final softmax, checked inputs and targets."""

import dataclasses

import keras
import numpy as np
from keras import ops, tree

from kerasdl.backend import vjp
from xai import graph as graphs

_HEADS = {"softmax", "sigmoid", "log_softmax", "log_sigmoid"}
OUTPUTS = ("auto", "probability")


@dataclasses.dataclass(frozen=True, eq=False)
class OpenModel:
    """A trained model as the methods see it.

    Attributes:
        model: The user's model, unchanged.
        graph: Its graph; the head is left off unless probabilities were asked for.
        head: The node that was left off, or None.
    """

    model: object
    graph: graphs.Graph
    head: object

    @property
    def num_outputs(self):
        """The number of scores per row."""
        return self.graph.outputs.shape[-1]

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

    def check_target(self, target, batch):
        """Returns a target as an int array `(batch,)`, -1 for the predicted class, or a callable.

        Raises:
            ValueError: A class out of range, or another number of targets than rows.
        """
        if callable(target):
            return target
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
        bad = classes[(classes < 0) | (classes >= self.num_outputs)]
        if len(bad):
            raise ValueError(
                f"The target {bad[0]} is out of range: the model {self.model.name!r} has "
                f"{self.num_outputs} outputs, 0 to {self.num_outputs - 1}."
            )
        return np.broadcast_to(target, batch).astype("int32")

    def check_gradient(self, inputs):
        """Refuses a model whose outputs do not depend on its inputs by any gradient.

        To be called when a gradient was zero throughout: that may be chance (dead units), so other
        inputs of several scales are tried.

        Raises:
            ValueError: The gradient is zero there too.
        """
        random = np.random.default_rng(0)
        for scale in (0.1, 1.0, 10.0):
            probe = tree.map_structure(
                lambda array, scale=scale: (
                    array + scale * random.standard_normal((8, *array.shape[1:])).astype("float32")
                ),
                tree.map_structure(lambda array: array[:1], inputs),
            )
            scores, pullback = vjp(self.scores, tree.map_structure(ops.convert_to_tensor, probe))
            gradients = tree.flatten(pullback(ops.ones_like(scores)))
            if any(np.any(ops.convert_to_numpy(gradient)) for gradient in gradients):
                return
        raise ValueError(
            f"The model {self.model.name!r} has no gradient path from its inputs to its outputs: "
            "an operation such as argmax, round or stop_gradient cuts it. Use SampledShapley, "
            "which needs none, or replace that operation."
        )


def open_model(model, output="auto"):
    """Opens a built Sequential or Functional model of one output `(batch, classes)`.

    Args:
        model: A Keras model; it is not changed.
        output: `"auto"` leaves a final softmax or sigmoid off, so that scores are logits;
            `"probability"` keeps it.

    Raises:
        TypeError: `model` is no Keras model, or one with a call method of its own.
        ValueError: The model is not built, has several outputs, or `output` is unknown.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"Expected a keras.Model; received {type(model).__name__}: {model!r}.")
    if output not in OUTPUTS:
        raise ValueError(f"output is one of {', '.join(map(repr, OUTPUTS))}; received {output!r}.")
    graph = graphs.flatten(model)
    outputs = tree.flatten(graph.outputs)
    if len(outputs) != 1 or len(outputs[0].shape) != 2:
        raise ValueError(
            f"The model {model.name!r} has outputs of shape {[place.shape for place in outputs]}; "
            "this version explains one output of shape (batch, classes). Build a model of the "
            "output to explain: keras.Model(model.inputs, model.outputs[0])."
        )
    graph = dataclasses.replace(graph, outputs=outputs[0])
    head = graph.producer(outputs[0])
    if output == "probability" or head is None or _function_name(head.operation) not in _HEADS:
        return OpenModel(model, graph, None)
    nodes = tuple(node for node in graph.nodes if node is not head)
    return OpenModel(model, graphs.Graph(graph.inputs, head.inputs[0], nodes), head)


def scorer(target):
    """Returns the function of scores `(batch, outputs)` and classes `(batch,)` to `(batch,)`.

    Args:
        target: A callable of the scores, which decides alone, or anything else: the classes do.
    """
    if not callable(target):
        return lambda scores, classes: ops.take_along_axis(scores, classes[:, None], axis=1)[:, 0]

    def score(scores, classes):
        values = target(scores)
        if len(values.shape) != 1:
            raise ValueError(
                "A callable target maps scores (batch, outputs) to one value per row, (batch,); "
                f"from {tuple(scores.shape)} it made {tuple(values.shape)}."
            )
        return values

    return score


def _function_name(operation):
    """The name of the activation that an operation applies, however it is attached."""
    if isinstance(operation, keras.layers.Activation):
        operation = operation.activation
    name = getattr(operation, "__name__", type(operation).__name__)
    return {"Softmax": "softmax", "Sigmoid": "sigmoid"}.get(name, name)
