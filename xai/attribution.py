"""One record for every attribution method."""

import dataclasses
import json

import numpy as np
from keras import tree

from xai.npz import save_npz

_FORMAT = "kerasdl attribution 1"


@dataclasses.dataclass(frozen=True, eq=False)
class Attribution:
    """What each input element contributed to a score.

    `values` sum, per row, to `score - base_score - residual`. Where all outputs were explained at
    once, whatever belongs to a score has an axis of outputs more, the last.

    Attributes:
        values: Contributions, in the shape and structure of the inputs, in the unit of the score.
        inputs: The explained inputs, `(batch, ...)`, one array or a list or dict of arrays.
        target: The explained class of each row `(batch,)`, None where a callable chose the score
            or all outputs were explained.
        score: The explained score of each row, `(batch,)` or `(batch, outputs)`; a logit unless
            asked otherwise.
        base_score: The score that contributions are counted from, in the shape of `score`.
        standard_error: Of `player_values`, `(batch, players)`, None for an exact method.
        evaluations: Model evaluations spent on each row, None where the method counts none.
        player_values: One value per player, `(batch, players)`, None for a method without players.
        layers: By layer name, the contributions of that layer's outputs.
        method: The method's name, `"lrp"` or `"shapley"`.
        settings: The method's settings, plain values.
        state: Arrays from which the method can go on, by name; None where it cannot.
    """

    values: object
    inputs: object
    target: np.ndarray | None
    score: np.ndarray
    base_score: np.ndarray
    method: str
    standard_error: np.ndarray | None = None
    evaluations: int | None = None
    player_values: np.ndarray | None = None
    layers: dict = dataclasses.field(default_factory=dict)
    settings: dict = dataclasses.field(default_factory=dict)
    state: dict | None = None

    @property
    def residual(self):
        """What the values leave unexplained of each row's score, in its shape."""
        score = np.asarray(self.score, "float64")
        total = sum(
            np.sum(values.reshape(len(self), -1, *score.shape[1:]), axis=1, dtype="float64")
            for values in tree.flatten(self.values)
        )
        return score - self.base_score - total

    def __len__(self):
        """The number of rows."""
        return len(self.score)

    def to_shap(self, players=False, *, feature_names=None, output_names=None, data=None):
        """Returns a `shap.Explanation`, which shap's plots take.

        The base values are the score less all values: `base_score` and, for a method that leaves a
        `residual`, that too, so that every plot ends at the score. Standard errors go to
        `error_std` and as 95 % bounds to `lower_bounds` and `upper_bounds`, which waterfalls draw.

        Args:
            players: Whether to give one value per player, `(batch, players)`, rather than one per
                input element; needed by all plots but `image` where the inputs are images. The data
                of a player is the mean of its elements, None where a callable made the players. A
                player that a row lacks has the value zero.
            feature_names: A name per column or player. For token ids, so that `text` draws them:
                the tokens of each row, a function from an id to its token, or a dict; words get a
                blank between them unless a token brings its own.
            output_names: A name per output, where all outputs were explained.
            data: What plots show as the features' values, in the shape of the inputs, or `(batch,
                players)`: numbers in their own units, images in [0, 1] or uint8.

        Raises:
            ImportError: shap is not installed.
            ValueError: Names or data that do not fit, players that the method does not have, or
                several inputs, which become one table, of which one is not `(batch, features)`.
            TypeError: A function from ids to tokens for something other than token ids.

        Of shap 0.51, with `e = attribution.to_shap()`:

        - Of all outputs, beeswarm, bar and heatmap take `e[..., 1]` or `e[:, :, "cat"]`, waterfall
          and force `e[0, :, 1]`. `e[..., "cat"]` is an IndexError; `e[0][:, 1]` loses the names
          where there are as many features as outputs.
        - `image` takes `e[..., 1:2]`, never `e[..., 1]`, and images with a channel axis; headings
          of single scores are its `labels=`, `(batch, 1)`.
        - Beeswarm and heatmap of tokens go by position: leave `feature_names` out.
        - Scatter needs data; force prints it in full unless given `features=e.data[0].round(2)`.
        - Beeswarm, violin and scatter draw from NumPy's global random state, text from Python's.

        Example:
            >>> shap.plots.waterfall(attribution.to_shap(feature_names=columns)[0])
        """
        from xai.shap_explanation import shap_explanation  # imports what imports this file

        return shap_explanation(
            self, players, feature_names=feature_names, output_names=output_names, data=data
        )

    def save(self, path):
        """Writes the record to an `.npz` file, without pickle.

        The file is written beside `path` and renamed, so that an interrupted save loses nothing.

        Raises:
            ValueError: `path` does not end in `.npz`.
            OSError: The directory does not exist or cannot be written.
        """
        arrays = {}
        record = {
            field.name: _pack(getattr(self, field.name), arrays)
            for field in dataclasses.fields(self)
        }
        record = np.array(json.dumps({"format": _FORMAT, **record}))
        save_npz(path, {"record": record, **arrays})

    @classmethod
    def load(cls, path):
        """Reads a record that `save` wrote.

        Raises:
            ValueError: The file holds something else.
        """
        with np.load(path, allow_pickle=False) as file:
            record = json.loads(str(file["record"])) if "record" in file else {}
            if record.pop("format", None) != _FORMAT:
                raise ValueError(f"{path} holds no attribution that this version can read.")
            return cls(**{name: _unpack(value, file) for name, value in record.items()})


def _pack(value, arrays):
    """Returns a JSON value in which arrays stand as `{"array": key}`; adds them to `arrays`."""
    if isinstance(value, np.ndarray | np.generic):
        key = f"array_{len(arrays)}"
        arrays[key] = np.asarray(value)
        return {"array": key}
    if isinstance(value, dict):
        return {"dict": {name: _pack(item, arrays) for name, item in value.items()}}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [_pack(item, arrays) for item in value]}
    return value


def _unpack(value, arrays):
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "array":
        return arrays[content]
    if kind == "dict":
        return {name: _unpack(item, arrays) for name, item in content.items()}
    return (list if kind == "list" else tuple)(_unpack(item, arrays) for item in content)
