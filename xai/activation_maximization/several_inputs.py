"""Models of several inputs, as models of one flat row."""

import dataclasses

import keras
import numpy as np
from keras import ops, tree

from xai import graph as graphs
from xai.activation_maximization.priors import Prior
from xai.activation_maximization.priors.joint import Joint


def inputs_of(opened, prior):
    """Returns the `SeveralInputs` of an opened model, None if it takes a single tensor.

    Args:
        opened: The model.
        prior: See `SeveralInputs.of`; of a list or dict of one input also its prior alone.
    """
    inputs = opened.graph.inputs
    if isinstance(inputs, graphs.Tensor):
        return None
    is_alone = isinstance(prior, Prior) and len(tree.flatten(inputs)) == 1
    prior = tree.pack_sequence_as(inputs, [prior]) if is_alone else prior
    return SeveralInputs.of(opened, prior)


@dataclasses.dataclass(frozen=True, eq=False)
class SeveralInputs:
    """What joins the inputs of a model into one row, and splits it again.

    Attributes:
        inputs: The symbolic inputs of the model, in their structure.
        given: For each of them a prior, or the one row that it is held at, flat.
        prior: That of those that climb.
    """

    inputs: object
    given: list
    prior: Joint

    @classmethod
    def of(cls, opened, prior):
        """Returns what joins the inputs of an opened model.

        Args:
            opened: The model.
            prior: A prior for each input, in their structure, or an array to hold an input at.

        Raises:
            ValueError: Another structure, an array of another shape, or no prior at all.
        """
        inputs = opened.graph.inputs
        try:
            tree.assert_same_structure(inputs, prior)
        except (TypeError, ValueError):
            raise ValueError(
                f"The model {opened.model.name!r} takes {tree.map_structure(_shape, inputs)}: "
                "prior is of this structure, a prior for each input that is to climb and one row "
                f"of each other; received {prior!r}."
            ) from None
        given = tree.flatten(prior)
        for place, part in zip(tree.flatten(inputs), given, strict=True):
            _check_part(place, part)
        climbing = [part for part in given if isinstance(part, Prior)]
        if not climbing:
            raise ValueError("All inputs are held: give a prior for at least one of them.")
        return cls(inputs, given, Joint.of(climbing))

    def flat_model(self, model):
        """Returns the model as one of flat rows, `(batch, elements)`; it shares the weights."""
        row = keras.Input((len(self.prior.low),))
        parts = iter(zip(self.prior.parts, self.prior.places, strict=True))
        tensors = []
        for place, part in zip(tree.flatten(self.inputs), self.given, strict=True):
            if isinstance(part, Prior):
                _, (start, end) = next(parts)
                tensor = ops.reshape(row[:, start:end], (-1, *part.shape))
            else:
                nothing = ops.reshape(0 * row[:, :1], (-1, *(1,) * np.ndim(part)))
                tensor = nothing + np.asarray(part, "float32")
            tensors.append(ops.cast(tensor, place.dtype))
        return keras.Model(row, model(tree.pack_sequence_as(self.inputs, tensors)), name=model.name)

    def split(self, x):
        """Returns the inputs in their structure, for flat rows `(batch, elements)`."""
        climbing = iter(self.prior.split(x))
        arrays = [
            next(climbing)
            if isinstance(part, Prior)
            else np.repeat(np.asarray(part)[None], len(x), 0)
            for part in self.given
        ]
        return tree.pack_sequence_as(self.inputs, arrays)

    def joined_bounds(self, bounds):
        """Returns bounds of flat rows: numbers stay, lists and dicts are joined."""
        if bounds is None:
            return None
        return tuple(self.joined(b) if isinstance(b, dict | list) else b for b in bounds)

    def joined(self, rows):
        """Returns one flat row, or several, of values in the inputs' structure.

        Raises:
            ValueError: Another structure.
        """
        try:
            tree.assert_same_structure(self.inputs, rows)
        except (TypeError, ValueError):
            raise ValueError(
                f"Expected {tree.map_structure(_shape, self.inputs)}; received {rows!r}."
            ) from None
        pairs = zip(self.given, tree.flatten(rows), strict=True)
        parts = [(part, np.asarray(own)) for part, own in pairs if isinstance(part, Prior)]
        flat = [
            own.reshape(*own.shape[: own.ndim - len(part.shape)], -1)
            if own.ndim
            else np.full(part.low.size, own)
            for part, own in parts
        ]
        return np.concatenate(flat, axis=-1)


def _shape(place):
    return ("batch", *place.shape[1:])


def _check_part(place, part):
    """Refuses what is neither a prior over rows of an input nor one of its rows."""
    shape = part.shape if isinstance(part, Prior) else np.shape(part)
    sizes = place.shape[1:]
    fits = len(shape) == len(sizes) and all(
        size in (None, given) for size, given in zip(sizes, shape, strict=True)
    )
    if isinstance(part, Prior) and "float" not in place.dtype:
        raise ValueError(
            f"An input of dtype {place.dtype} has no gradient to climb; received a "
            f"{type(part).__name__} for it. Hold it at one row."
        )
    if not fits:
        raise ValueError(
            f"An input takes {_shape(place)}; received a "
            f"{type(part).__name__} of rows of shape {shape}. Fit a prior on that input, or hold "
            "it at one row."
        )
