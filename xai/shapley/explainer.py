"""Sampled Shapley values of a trained model's inputs."""

import dataclasses

import numpy as np
from keras import tree

from kerasdl.backend import jit
from xai import graph as graphs
from xai.attribution import Attribution
from xai.model import check_batch_size, open_model
from xai.shapley.budget import Budget, estimate_all, plan_budgets
from xai.shapley.choice import check_settings, is_walk
from xai.shapley.continuation import check_continuation, digest
from xai.shapley.first_layer import first_layer
from xai.shapley.game import (
    Batch,
    drawn_blender,
    element_blender,
    in_batches,
    model_game,
)
from xai.shapley.maskers import masked_game
from xai.shapley.structure import per_input
from xai.shapley.table import lay_tables
from xai.shapley.target import Target, name_of

_ELEMENTS = 2**20  # input elements of an automatic batch


class SampledShapley:
    """Shapley values of the inputs of a trained model, estimated by sampling.

    The players are input elements or groups of them; the elements of an absent player take the
    baseline's values. The value of a coalition is the score of the model on that blend, or the mean
    score over the blends with each background row.

    Args:
        model: A built Keras model; it is not changed.
        baseline: What an absent element is replaced by: a number (for tokens an id); an array of
            one row's shape; background rows `(n, ...)`, over which scores are averaged, at `n`
            evaluations a coalition or, where the budget is small for that, by permutations that
            draw one row each (`base_score` is then the mean over the rows drawn); `"blur"`, the row
            itself under a Gaussian blur whose standard deviation is an eighth of each spatial axis;
            a function from inputs to such values; or a shap masker, of which Independent,
            Partition, Fixed and Image without inpainting run on the device. The rank of an array
            decides whether it is one row or several.
        players: None: every element, for images all channels of a pixel together; an int `p`:
            square patches of `p` by `p` pixels; an int array of segment ids in the shape of a row,
            with or without channels (superpixels, groups of features, tokens, time steps); or a
            callable that returns such ids for a row.
        output: `"auto"`: a final softmax or sigmoid is left off, scores are logits;
            `"probability"` keeps it.
        batch_size: Model evaluations per compiled call; None picks by the size of the inputs.
        seed: Of the estimator; results do not depend on the batch size or the other rows.

    For a model of several inputs, `baseline` and `players` are one setting for all, or one for each
    in the inputs' list or dict; an input whose baseline is None is held fixed. Players are numbered
    across the inputs.

    Raises:
        TypeError: No Keras model.
        ValueError: An unbuilt model, an unknown output, or settings for other inputs.

    Example:
        >>> shapley = xai.SampledShapley(model, baseline="blur", players=4)
        >>> attribution = shapley(x_test[:8], evaluations=512)
        >>> attribution.player_values, attribution.standard_error

        Superpixels, and a table of which the columns 3 to 5 belong together:

        >>> superpixels = lambda row: skimage.segmentation.slic(row, n_segments=50)
        >>> xai.SampledShapley(model, "blur", players=superpixels)
        >>> xai.SampledShapley(model, x_train[:100], players=np.array([0, 1, 2, 3, 3, 3]))

    Source: Lundberg & Lee 2017, A unified approach to interpreting model predictions (NeurIPS).
    """

    def __init__(self, model, baseline, players=None, output="auto", batch_size=None, seed=0):
        self.model = model
        self.baseline = baseline
        self.players = players
        self.seed = seed
        self._open = open_model(model, output)
        self._output = output
        places = self._open.graph.inputs
        self._baselines = per_input(baseline, places, "baselines")
        self._players = per_input(players, places, "players")
        self._batch_size = check_batch_size(batch_size)
        self._run = jit(self._scores, model.variables)
        self._first_layer = first_layer(self._open.graph)
        self._compiled = {}

    def __call__(
        self,
        x,
        target=None,
        evaluations=2048,
        method="auto",
        tolerance=None,
        progress=False,
        *,
        continue_from=None,
    ):
        """Returns the Shapley value of every player for the score of a target.

        Args:
            x: Inputs of the model, `(batch, ...)`, or a list or dict of them.
            target: The class to explain: `None` for the predicted class of each row, an int, one
                int per row, `"all"` for all outputs at once from the same evaluations, or a
                callable that maps the scores `(batch, classes)` to `(batch,)`. Of a model of
                several outputs, a pair `(output, class)` with the output's name or index, or a
                callable of all outputs.
            evaluations: The most model evaluations to spend on each row.
            method: See `xai.shapley.shapley_values`.
            tolerance: See `xai.shapley.shapley_values`.
            progress: Whether to show a progress bar over the evaluations and the current error.
            continue_from: An earlier attribution of the same model, inputs and settings, loaded or
                at hand, to which `evaluations` are added.

        Returns:
            An `xai.Attribution` with `player_values` and their `standard_error`,
            `(batch, players)`; `values` spreads each player's value evenly over its elements.
            Where rows have different numbers of players, the shorter ones end in NaN. With
            `target="all"` there is an axis of outputs more, the last.

        Raises:
            ValueError: Inputs that do not fit the model, an empty batch, NaN, a target out of
                range, a budget too small, or an earlier attribution of something else.
        """
        check_settings(evaluations, method, tolerance)
        inputs = self._open.check_inputs(x)
        arrays = tree.flatten(inputs)
        target = Target.of(self._open, target, len(arrays[0]))
        tables = lay_tables(arrays, self._baselines, self._players)
        settings = {"method": method, "seed": self.seed, "output": self._output, **target.settings}
        digests = _digests(tables)
        if continue_from is not None:
            check_continuation(continue_from, inputs, settings, digests)
        classes, full = self._start(arrays, target, continue_from)
        budgets = plan_budgets(tables, evaluations, method, continue_from)
        games = self._games(tables, target, (classes, full), budgets, method)
        players = [table.players.count for table in tables]
        sampling = {"method": method, "seed": self.seed, "tolerance": tolerance}
        estimates = estimate_all(games, players, budgets, progress, **sampling)
        outputs = slice(None) if target.is_all else 0
        found = {name: part[..., outputs] for name, part in _joined(estimates).items()}
        elements = [values[..., outputs] for values in _elements(tables, estimates)]
        return Attribution(
            values=tree.pack_sequence_as(inputs, elements),
            inputs=inputs,
            target=classes if target.has_classes else None,
            score=full[..., outputs],
            evaluations=max(map(Budget.cost, budgets, [e.evaluations for e in estimates])),
            method="shapley",
            settings={**settings, **sampling, **self._plain_settings()},
            state=_state(estimates, digests),
            **found,
        )

    def _plain_settings(self):
        """Returns baseline and players as numbers, strings and arrays."""
        settings = {"baseline": self.baseline, "players": self.players}
        return {name: tree.map_structure(_plain, setting) for name, setting in settings.items()}

    def _scores(self, *tensors):
        """Returns the model's outputs for inputs that are given flat."""
        return self._open.scores(tree.pack_sequence_as(self._open.graph.inputs, tensors))

    def _start(self, arrays, target, earlier):
        """Returns the class to score in each row, and the scores of the rows as they are."""
        if earlier is not None:
            return _known(earlier)
        outputs = in_batches(self._run, arrays, min(self._size(arrays), len(arrays[0])))
        classes = target.classes(outputs)
        return classes, target.known_scores(outputs, classes).astype("float64")

    def _size(self, arrays):
        """Returns the number of model evaluations of one call."""
        elements = sum(array[0].size for array in arrays)
        return self._batch_size or int(np.clip(_ELEMENTS // elements, 8, 512))

    def _games(self, tables, target, known, budgets, method):
        """Yields the game of each table, given the classes to score and the full scores."""
        classes, full = known
        shared = self._kind(tables, budgets, method)
        most = max(table.players.count for table in tables)
        size = self._size(tables[0].inputs)
        pairs = self._first_layer.most_pairs if shared == "units" else None
        for table, budget in zip(tables, budgets, strict=True):
            kind = "drawn" if budget.versions > 1 else shared
            compiled = self._compile(target, kind)
            of_rows = table, classes[table.rows], full[table.rows]
            if kind == "masker":
                yield masked_game(compiled, *of_rows, size)
                continue
            count = len(table.inputs[0])
            batch = Batch.plan(size, budget.coalitions, budget.num_blends, count, pairs)
            if kind == "drawn":
                batch = dataclasses.replace(batch, backgrounds=budget.versions)
            yield model_game(compiled, *of_rows, batch, most)

    def _kind(self, tables, budgets, method):
        """Returns what blends: a masker, the units of a first layer, or the elements of inputs."""
        if tables[0].masker:
            return "masker"
        pairs = zip(tables, budgets, strict=True)
        by_units = self._first_layer and all(self._goes_by_units(*pair, method) for pair in pairs)
        return "units" if by_units else "elements"

    def _goes_by_units(self, table, budget, method):
        walk = is_walk(method, table.players.count, budget.coalitions)
        return self._first_layer.is_worthwhile(table, budget.coalitions, walk)

    def _compile(self, target, kind):
        """Returns what scores coalitions; of one target, for there is no end of lambdas."""
        if target.key not in self._compiled:
            self._compiled = {target.key: {}}
        kinds = self._compiled[target.key]
        if kind not in kinds:
            kinds[kind] = self._compiled_anew(target, kind)
        return kinds[kind]

    def _compiled_anew(self, target, kind):
        variables = self.model.variables

        def evaluate(tensors, classes):
            return target.scores(self._scores(*tensors), classes)

        def evaluate_units(tensors, classes):
            outputs = self._first_layer.after.run(tensors, graphs.call)
            return target.scores(outputs, classes)

        if kind == "masker":
            return jit(lambda rows, classes: evaluate([rows], classes), variables)
        if kind == "units":
            return self._first_layer.blender(evaluate_units, variables)
        return (drawn_blender if kind == "drawn" else element_blender)(evaluate, variables)


def _known(earlier):
    """Returns the classes and scores of the rows, as an earlier attribution has them."""
    score = np.asarray(earlier.score, "float64").reshape(len(earlier), -1)
    zeros = np.zeros(len(earlier), "int32")
    return zeros if earlier.target is None else earlier.target, score


def _state(estimates, digests):
    """Returns what a later call can go on from, None where a method leaves nothing."""
    states = {str(number): estimate.state for number, estimate in enumerate(estimates)}
    if any(state is None for state in states.values()):
        return None
    return {"estimates": states, "digests": digests}


def _digests(tables):
    """Returns short names for what stands in for absent elements, and for the players."""
    maskers = [np.array(type(table.masker).__name__) for table in tables]
    backgrounds = [table.backgrounds for table in tables]
    segments = [table.players.segments for table in tables]
    return {
        "baseline": digest(tree.flatten((backgrounds, maskers))),
        "players": digest(tree.flatten(segments)),
    }


def _joined(estimates):
    """Returns what all rows' estimates say of players, `(batch, players, outputs)`, and bases."""
    return {
        "player_values": _padded([np.moveaxis(e.values, 0, 1) for e in estimates]),
        "standard_error": _padded([np.moveaxis(e.standard_error, 0, 1) for e in estimates]),
        "base_score": np.concatenate([estimate.base_value for estimate in estimates]),
    }


def _elements(tables, estimates):
    """Returns players' values spread over the elements of each input, `(batch, ..., outputs)`."""
    parts = [
        table.players.spread(np.moveaxis(estimate.values, 0, 1), table.inputs)
        for table, estimate in zip(tables, estimates, strict=True)
    ]
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]


def _padded(parts):
    """Stacks `(rows, players, outputs)` arrays, rows of fewer players filled with NaN."""
    width = max(part.shape[1] for part in parts)
    fills = [((0, 0), (0, width - part.shape[1]), (0, 0)) for part in parts]
    filled = zip(parts, fills, strict=True)
    return np.concatenate([np.pad(part, fill, constant_values=np.nan) for part, fill in filled])


def _plain(setting):
    """Returns a setting as a number, a string or an array."""
    if callable(setting):
        return name_of(setting)
    return np.asarray(setting) if hasattr(setting, "__array__") else setting
