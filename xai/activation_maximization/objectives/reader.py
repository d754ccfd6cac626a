"""Opening a model for what objectives read of it."""

import dataclasses
import functools

import keras
from keras import ops, tree

from xai import graph as graphs
from xai.activation_maximization.objectives.objective import layers_of
from xai.activation_maximization.objectives.readings import Readings
from xai.layer_output import find_output
from xai.model import OpenModel, class_scores


@dataclasses.dataclass(frozen=True, eq=False)
class Reader:
    """Maps inputs to the `Readings` of a model; to be called within a compiled function.

    A final softmax or sigmoid is left off: the output of a layer that ends in it is the logits.

    Attributes:
        model: The opened model; it may have several inputs.
        layers: The names of the layers to read. A layer within a nested model is `"model/layer"`,
            or `"layer"` where no other has that name; the second call of a shared layer is
            `"layer#2"`.
        output: The name or index of the output that has the classes; None for the only one.

    Raises:
        ValueError: An unknown layer or output.

    Example:
        >>> reader = Reader.of(open_model(model), [Channel("conv2", 5)])
        >>> Channel("conv2", 5)(reader(x))
    """

    model: OpenModel
    layers: tuple = ()
    output: object = None

    def __post_init__(self):
        _ = self._places, self._output  # fail at the door

    @classmethod
    def of(cls, model, objectives, output=None):
        """Returns a reader of all that some objectives read.

        Raises:
            ValueError: An unknown layer or output, or what the objectives refuse.
        """
        reader = cls(model, layers_of(objectives), output)
        for objective in objectives:
            objective.check(reader)
        return reader

    def __call__(self, inputs):
        """Returns the readings of a batch of tensors, of the model's structure of inputs."""
        outputs, read = tree.map_structure(_at_least_float32, self._run(inputs))
        is_known = self._output is not None
        return Readings(
            scores=class_scores(outputs, self._output) if is_known else None,
            head=self.model.heads[self._output] if is_known else None,
            outputs=read,
            channel_axes={name: axis for name, (_, axis) in self._places.items()},
        )

    def shape(self, layer):
        """Returns the shape of a layer's output, None for unknown sizes."""
        return self._places[layer][0].shape

    def num_channels(self, layer):
        """Returns the number of channels of a layer's output.

        Raises:
            ValueError: It has no axis of channels, or one of unknown size.
        """
        place, axis = self._places[layer]
        if axis == 0 or place.shape[axis] is None:
            raise ValueError(
                f"The layer {layer!r} has outputs of shape {place.shape}, not ('batch', ..., "
                "channels) with a known number of channels. Name another layer, or a neuron of it."
            )
        return place.shape[axis]

    def check_class(self, class_):
        """Refuses a class that the model does not have.

        Raises:
            ValueError: It is out of range, the model has several outputs and none was chosen, or
                the output has no classes.
        """
        name = self.model.model.name
        if self._output is None:
            raise ValueError(
                f"The model {name!r} has the outputs {_listed(self.model.output_names)}: choose "
                "the one that has the classes by output=."
            )
        _, *sizes = tree.flatten(self.model.graph.outputs)[self._output].shape
        if len(sizes) > 1:
            raise ValueError(
                f"The model {name!r} has outputs of shape {('batch', *sizes)}, which are no "
                "classes: use the objectives of its layers, such as Neuron or Channel."
            )
        num_classes = (*sizes, 1)[0]
        if class_ >= num_classes:
            raise ValueError(
                f"The class {class_} is out of range: the model {name!r} has {num_classes} "
                f"outputs, 0 to {num_classes - 1}."
            )

    @functools.cached_property
    def _places(self):
        """The place of each layer's output, and its channel axis, by name."""
        graph, name = self.model.graph, self.model.model.name
        return {layer: find_output(graph, layer, name) for layer in self.layers}

    @functools.cached_property
    def _output(self):
        """The index of the output that has the classes, None where it is not known."""
        names = self.model.output_names
        if self.output is None:
            return 0 if len(names) == 1 else None
        if self.output in names:
            return names.index(self.output)
        if isinstance(self.output, int) and 0 <= self.output < len(names):
            return self.output
        raise ValueError(
            f"The model {self.model.model.name!r} has no output {self.output!r}; it has "
            f"{_listed(names)}."
        )

    def _run(self, inputs):
        graph = self.model.graph
        places = {name: place for name, (place, _) in self._places.items()}
        outputs = (graph.outputs, places)
        return dataclasses.replace(graph, outputs=outputs).run(inputs, graphs.call)


def _at_least_float32(tensor):
    """Returns what a mixed policy computed in half precision in float32."""
    dtype = keras.backend.result_type(keras.backend.standardize_dtype(tensor.dtype), "float32")
    return ops.cast(tensor, dtype)


def _listed(names):
    return ", ".join(map(repr, names))
