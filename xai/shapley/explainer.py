"""Sampled Shapley values of a trained model's inputs."""

import numpy as np
from keras import ops, tree
from tqdm import tqdm

from kerasdl.backend import jit
from xai.attribution import Attribution
from xai.model import check_batch_size, open_model, scorer
from xai.shapley import baselines
from xai.shapley.estimate import shapley_values
from xai.shapley.game import blended_scores, model_game
from xai.shapley.players import segment, spread


class SampledShapley:
    """Shapley values of the inputs of a trained model, estimated by sampling.

    The players are input elements or groups of them; the elements of an absent player take the
    baseline's values. The value of a coalition is the score of the model on that blend.

    Args:
        model: A built Sequential or Functional model of one input and one output
            `(batch, classes)`; it is not changed.
        baseline: What an absent element is replaced by: a number or an array of one row's shape.
        players: None: every element, for images all channels of a pixel together; an int `p`:
            square patches of `p` by `p` pixels; an int array of segment ids in the shape of a row,
            with or without channels; or a callable that returns such ids for a row.
        output: `"auto"`: a final softmax or sigmoid is left off, scores are logits;
            `"probability"` keeps it.
        batch_size: Model evaluations per compiled call; None picks by the size of the inputs.
        seed: Of the permutations; results do not depend on the batch size or the other rows.

    Raises:
        TypeError: No Keras model.
        ValueError: An unbuilt model, one of several inputs, or an unknown output.

    Example:
        >>> shapley = xai.SampledShapley(model, baseline=0.0, players=2)
        >>> attribution = shapley(x_test[:8], evaluations=512)
        >>> attribution.player_values, attribution.standard_error

    Source: Lundberg & Lee 2017, A unified approach to interpreting model predictions (NeurIPS).
    """

    def __init__(self, model, baseline, players=None, output="auto", batch_size=None, seed=0):
        self.model = model
        self.baseline = baseline
        self.players = players
        self.seed = seed
        self._open = open_model(model, output)
        self._open.require_classes()
        if len(tree.flatten(self._open.graph.inputs)) != 1:
            raise ValueError(
                f"The model {model.name!r} has several inputs; this version of SampledShapley "
                "explains models of one input."
            )
        self._batch_size = check_batch_size(batch_size)
        self._predict = jit(self._open.scores, model.variables)
        self._compiled = {}

    def __call__(
        self, x, target=None, evaluations=2048, method="auto", tolerance=None, progress=False
    ):
        """Returns the Shapley value of every player for the score of a target.

        Args:
            x: Inputs of the model, `(batch, ...)`.
            target: The class to explain: `None` for the predicted class of each row (for one
                evaluation), an int, one int per row, or a callable that maps the scores
                `(batch, classes)` to `(batch,)`.
            evaluations: The most model evaluations to spend on each row.
            method: See `xai.shapley.shapley_values`.
            tolerance: See `xai.shapley.shapley_values`.
            progress: Whether to show a progress bar over the evaluations.

        Returns:
            An `xai.Attribution` with `player_values` and their `standard_error`,
            `(batch, players)`; `values` spreads each player's value evenly over its elements.
            Where rows have different numbers of players, the shorter ones end in NaN.

        Raises:
            ValueError: Inputs that do not fit the model, an empty batch, NaN, a target out of
                range, or a budget too small.
        """
        inputs = self._open.check_inputs(x)
        (array,) = tree.flatten(inputs)
        target = self._open.check_target(target, len(array))
        classes, spent = self._classes(array, target)
        settings = {"method": method, "seed": self.seed, "tolerance": tolerance}
        groups = self._groups(array)
        results = []
        with tqdm(total=len(groups) * (evaluations - spent), disable=not progress) as bar:
            for rows, (segments, players) in groups:
                game = _counted(self._game(array, rows, target, classes, segments), bar)
                estimate = shapley_values(game, players, evaluations - spent, **settings)
                results.append((segments, estimate))
        return Attribution(
            values=tree.pack_sequence_as(inputs, [_join(_element_values, results)]),
            inputs=inputs,
            target=None if callable(target) else classes,
            score=_join(lambda segments, estimate: estimate.full_value, results),
            base_score=_join(lambda segments, estimate: estimate.base_value, results),
            standard_error=_join(lambda segments, estimate: estimate.standard_error.T, results),
            player_values=_join(lambda segments, estimate: estimate.values.T, results),
            evaluations=spent + max(estimate.evaluations for _, estimate in results),
            method="shapley",
            settings={**settings, "baseline": self.baseline, "players": _plain(self.players)},
        )

    def _classes(self, array, target):
        """Returns the class to score in each row, and the evaluations that it took to know."""
        if callable(target):
            return np.zeros(len(array), "int32"), 0
        if target.min() >= 0:
            return target, 0
        batch = self._batch_size or 256
        starts = range(0, len(array), batch)
        scores = [self._predict(ops.convert_to_tensor(array[i : i + batch])) for i in starts]
        return np.concatenate([ops.convert_to_numpy(s) for s in scores]).argmax(axis=-1), 1

    def _groups(self, array):
        """Returns the rows that share segments, each with the segments and number of players."""
        if not callable(self.players):
            return [(slice(None), segment(array, self.players))]
        return [
            (slice(i, i + 1), segment(array, np.asarray(self.players(array[i]))))
            for i in range(len(array))
        ]

    def _game(self, array, rows, target, classes, segments):
        key = target if callable(target) else None
        if key not in self._compiled:  # only the last is kept, for there is no end of lambdas
            self._compiled = {key: blended_scores(self._open, scorer(target))}
        baseline = baselines.resolve(self.baseline, array)
        scores = self._compiled[key]
        return model_game(
            scores, array[rows], classes[rows], baseline, segments, batch_size=self._batch_size
        )


def _counted(game, bar):
    def counted(coalitions):
        values = game(coalitions)
        bar.update(len(coalitions))
        return values

    return counted


def _element_values(segments, estimate):
    return spread(estimate.values.T, segments)


def _join(part, results):
    """Stacks a part of all results along the rows, rows of fewer players filled with NaN."""
    parts = [part(segments, estimate) for segments, estimate in results]
    if parts[0].ndim != 2:
        return np.concatenate(parts)
    width = max(array.shape[1] for array in parts)
    pads = [((0, 0), (0, width - array.shape[1])) for array in parts]
    return np.concatenate(
        [np.pad(a, pad, constant_values=np.nan) for a, pad in zip(parts, pads, strict=True)]
    )


def _plain(players):
    return getattr(players, "__name__", "callable") if callable(players) else players
