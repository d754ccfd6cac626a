"""A first Dense layer: its units for a blend, without the blend.

A blend replaces elements, and a Dense layer sums over elements: its units for a coalition are those
of the baseline plus, for every player present, what that player's elements change. These changes
are worked out once. A coalition is then a row of a matrix product over players, and those along a
permutation are running sums, at one addition per unit.
"""

import dataclasses
import math

import keras
from keras import ops, tree

from kerasdl.backend import jit
from xai import graph as graphs
from xai.shapley.game import Blender, mean_scores

# Units pay (tests/benchmarks/shapley.py) from so many coalitions on: along permutations, where
# players are at most half as many as features, or where the layer is so narrow that blends take a
# large part of the time.
_COALITIONS, _NARROW = 512, 256
_MANY = 160  # players from which on running sums take less time than products with masks
_PRODUCTS = 2**24  # numbers that the changes of one batch may take to work out: 64 MiB
_KEPT = 2**26  # numbers that the changes of all rows may take: 256 MiB

# These commute with a blend.
_ELEMENTWISE = (
    keras.layers.Flatten,
    keras.layers.Reshape,
    keras.layers.Rescaling,
    keras.layers.Normalization,
    keras.layers.Dropout,
)


@dataclasses.dataclass(frozen=True, eq=False)
class FirstLayer:
    """A graph cut behind its first layer.

    Attributes:
        before: The graph from the input to what the layer reads, `(batch, features)`.
        layer: The Dense layer, without an activation.
        after: The graph from the layer's units on.
    """

    before: graphs.Graph
    layer: object
    after: graphs.Graph

    def is_worthwhile(self, table, coalitions, is_walk):
        """Whether units take less time than whole inputs, and no more memory than is there.

        Args:
            table: A `Table`.
            coalitions: The number of coalitions that each row is to be asked for.
            is_walk: Whether they lie along permutations.
        """
        players, units = table.players.count, self.layer.units
        fits = len(table.inputs[0]) * table.num_blends * players * units <= _KEPT
        pays = 2 * players <= self.before.outputs.shape[-1] or units <= _NARROW
        return fits and (is_walk or pays) and coalitions >= _COALITIONS

    @property
    def most_pairs(self):
        """The most pairs of a background and a row whose changes are held at once."""
        return max(1, _PRODUCTS // (self.before.outputs.shape[-1] * self.layer.units))

    def blender(self, evaluate, variables):
        """Returns the `Blender` of the model.

        Args:
            evaluate: A function of the layer's units, alone in a list, and classes to scores
                `(batch, outputs)`.
            variables: The model's variables.
        """

        def prepare(inputs, backgrounds, segments, players):
            (inputs,), (backgrounds,), (segments,) = inputs, backgrounds, segments
            present, absent = self._features(inputs[None]), self._features(backgrounds)
            kernel = ops.cast(self.layer.kernel, "float32")
            start = ops.matmul(absent, kernel)
            if self.layer.use_bias:
                start += ops.cast(self.layer.bias, "float32")
            ids = ops.reshape(ops.broadcast_to(segments, ops.shape(inputs)[1:]), (-1,))
            changes = ops.moveaxis(present - absent, -1, 0)[..., None] * kernel[:, None, None]
            return start, ops.segment_sum(changes, ids, num_segments=ops.shape(players)[0])

        def mean(units, classes, weights):
            units = ops.cast(units, self.after.inputs.dtype)
            return mean_scores(evaluate, [units], classes, weights, ops.shape(units)[:3])

        def scores(prepared, classes, weights, masks):
            start, changes = prepared
            units = start + ops.tensordot(ops.cast(masks, "float32"), changes, axes=1)
            return mean(units, classes, weights)

        def walk(prepared, classes, weights, orders):
            start, changes = prepared
            units = start + running_sums(ops.take(changes, orders[:, :-1], axis=0))
            return mean(ops.reshape(units, (-1, *ops.shape(changes)[1:])), classes, weights)

        functions = [prepare, scores, walk]
        return Blender(*(jit(function, variables) for function in functions), _MANY)

    def _features(self, values):
        """Returns what the layer reads of inputs `(n, rows, ...)`, `(n, rows, features)`."""
        n, rows, *row = ops.shape(values)
        features = self.before.run(ops.reshape(values, (-1, *row)), graphs.call)
        features = ops.reshape(features, (n, rows, self.before.outputs.shape[-1]))
        return ops.cast(features, "float32")


def running_sums(values):
    """Returns sums along axis 1 of all from the first on, by blocks: two short sums are faster."""
    count, *shape = ops.shape(values)
    steps, *rest = shape
    block = math.isqrt(steps - 1) + 1
    values = ops.pad(values, [(0, 0), (0, block**2 - steps), *[(0, 0)] * len(rest)])
    values = ops.reshape(values, (count, block, block, -1))
    within = ops.einsum("ij,cbju->cbiu", ops.tril(ops.ones((block, block))), values)
    ends = within[:, :, -1:]
    sums = within + (ops.cumsum(ends, axis=1) - ends)
    return ops.reshape(sums, (count, block**2, *rest))[:, :steps]


def first_layer(graph):
    """Returns the `FirstLayer` of a graph, None where it begins with anything but a Dense layer.

    Layers in front of it that treat each element for itself do not count.
    """
    place = graph.inputs
    if not isinstance(place, graphs.Tensor):
        return None
    for count, node in enumerate(graph.nodes):
        if graph.readers[place] != [node] or place in tree.flatten(graph.outputs):
            return None
        if _is_dense(node.operation) and len(place.shape) == 2:
            before = graphs.Graph(graph.inputs, place, graph.nodes[:count])
            after = graphs.Graph(node.outputs[0], graph.outputs, graph.nodes[count + 1 :])
            return FirstLayer(before, node.operation, after)
        if not _is_elementwise(node.operation):
            return None
        (place,) = node.outputs
    return None


def _is_dense(operation):
    return type(operation) is keras.layers.Dense and not operation.quantization_mode


def _is_elementwise(operation):
    """Whether a layer treats each element for itself and keeps their order."""
    reorders = getattr(operation, "data_format", None) == "channels_first"
    return type(operation) in _ELEMENTWISE and not reorders
