"""What every parameterization is: a map from codes, which climb, to inputs within bounds."""

import abc

import numpy as np


class Parameterization(abc.ABC):
    """What climbs in place of the input elements: a code that is decoded into inputs.

    Another code of the same inputs is another metric for an ascent: what it moves a little, and
    what much, at each step. The bounds are arrays in a row's shape throughout.
    """

    @property
    def prior(self):
        """The prior over codes that takes the place of one over inputs, or None."""
        return None

    @property
    def variables(self):
        """The Keras variables that `decode` reads."""
        return []

    def check(self, low, high):
        """Refuses bounds, or rows of their shape, that it does not have.

        Raises:
            ValueError: For instance, infinite bounds.
        """
        del low, high

    def code_shape(self, shape):
        """Returns the shape of the code of a row of some shape."""
        return tuple(shape)

    @abc.abstractmethod
    def decode(self, code, low, high):
        """Returns inputs within the bounds, `(rows, ...)`, for a tensor of codes; differentiable.

        Args:
            code: `(rows, *code_shape)`.
            low: The least value of each input element, an array or tensor.
            high: The greatest value of each input element.
        """

    def encode(self, x, low, high):
        """Returns float64 codes, an array, that `decode` maps to inputs, or nearly so.

        Raises:
            ValueError: There is no way back.
        """
        raise ValueError(
            f"{type(self).__name__} cannot find the code of given inputs. Let the ascent begin "
            "where the parameterization begins."
        )

    def confine(self, code, low, high):
        """Returns a tensor of codes after a step, moved back to where codes lie."""
        del low, high
        return code

    @abc.abstractmethod
    def start(self, seeds, low, high):
        """Returns float64 codes where an ascent may begin, `(rows, *code_shape)`.

        Args:
            seeds: For each row what `numpy.random.default_rng` takes: an int or a sequence of ints.
            low: The least value of each input element.
            high: The greatest value of each input element.
        """

    @abc.abstractmethod
    def scale(self, low, high):
        """Returns the size of an ordinary step of each code element, `code_shape`, positive."""


def normal_codes(seeds, shape):
    """Returns standard normal codes, `(rows, *shape)`, each row's from its own seed."""
    return np.stack([np.random.default_rng(seed).standard_normal(shape) for seed in seeds])
