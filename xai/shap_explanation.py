"""Attributions as `shap.Explanation`s: the only file that imports shap, and only when asked to."""

import collections.abc
import dataclasses

import keras
import numpy as np
from keras import tree

from xai.shapley.players import segment, shares

_HALF_WIDTH = 1.959964  # of a 95 % interval of a normal distribution, in standard errors


def shap_explanation(attribution, players, *, feature_names, output_names, data):
    """Returns a `shap.Explanation` of an attribution; see `xai.Attribution.to_shap`."""
    shap = _import_shap()
    features = _players(attribution) if players else _elements(attribution)
    if data is not None:
        features = dataclasses.replace(features, data=_shaped(data, features))
    if feature_names is not None:
        features = _named(features, feature_names)
    features = _channels_last(features)
    error = features.error
    return shap.Explanation(
        features.values,
        base_values=_base_values(attribution, features.values),
        data=features.data,
        feature_names=features.names,
        output_names=_checked_output_names(attribution, output_names),
        error_std=error,
        lower_bounds=None if error is None else features.values - _HALF_WIDTH * error,
        upper_bounds=None if error is None else features.values + _HALF_WIDTH * error,
    )


@dataclasses.dataclass(frozen=True)
class _Features:
    """What shap calls features: input elements or players.

    Attributes:
        values: Contributions, `(batch, ...)` or `(batch, ..., outputs)`.
        shape: Of one row of features, without outputs.
        data: Each feature's value, `(batch, ...)`, or None.
        names: One name per feature, one list of tokens per row, or None.
        error: Standard errors of `values`, or None.
        whole: Whether each feature is one input element.
    """

    values: np.ndarray
    shape: tuple
    data: object
    names: list | None
    error: np.ndarray | None
    whole: bool


def _import_shap():
    try:
        import shap
    except ImportError as error:
        raise ImportError("to_shap needs the package shap: pip install shap") from error
    return shap


def _elements(attribution):
    values, inputs, names = _joined(attribution)
    ids = _player_of_element(attribution, values, inputs)
    error = attribution.standard_error
    known = ids is not None and error is not None
    return _Features(
        values=values,
        shape=inputs.shape[1:],
        data=inputs,
        names=names,
        error=shares(error, ids, error.shape[1]) if known else None,
        whole=True,
    )


def _players(attribution):
    values = attribution.player_values
    if values is None:
        raise ValueError(
            f"An attribution of method {attribution.method!r} has no players; leave players=True "
            "out for one value per input element, or explain with xai.SampledShapley."
        )
    error, count = attribution.standard_error, values.shape[1]
    features = _Features(
        values=_without_absent(values),
        shape=(count,),
        data=None,
        names=[f"Player {i}" for i in range(count)],
        error=None if error is None else np.where(_absent(values), 0.0, error),
        whole=False,
    )
    return _with_player_data(attribution, features)


def _with_player_data(attribution, features):
    """Fills in what is known of the players: their elements' mean, and names of single columns."""
    if len(tree.flatten(attribution.inputs)) > 1 and not _is_tabular(attribution.inputs):
        return features
    values, inputs, names = _joined(attribution)
    ids = _player_of_element(attribution, values, inputs)
    if ids is None:
        return features
    whole = ids.size == features.shape[0]
    return dataclasses.replace(
        features,
        data=_means(inputs, ids),
        names=[names[i] for i in np.argsort(ids)] if whole and names else features.names,
        whole=whole,
    )


def _joined(attribution):
    """Returns values and inputs as one array each, and names of the columns of tabular ones."""
    inputs = [np.array(leaf) for leaf in tree.flatten(attribution.inputs)]
    values = [np.array(leaf, "float64") for leaf in tree.flatten(attribution.values)]
    if len(inputs) == 1:
        names = _column_names("Feature", inputs[0]) if inputs[0].ndim == 2 else None
        return values[0], inputs[0], names
    if not _is_tabular(attribution.inputs):
        raise ValueError(
            "Several inputs become one table only where each is (batch, features); received "
            f"shapes {[leaf.shape for leaf in inputs]}. Pass players=True, or pick one input: "
            "dataclasses.replace(attribution, inputs=attribution.inputs[key], "
            "values=attribution.values[key]).to_shap()."
        )
    names = [
        name
        for path, leaf in tree.flatten_with_path(attribution.inputs)
        for name in _column_names("/".join(map(str, path)), leaf, several=True)
    ]
    return np.concatenate(values, axis=1), np.concatenate(inputs, axis=1), names


def _is_tabular(inputs):
    return all(np.ndim(leaf) == 2 for leaf in tree.flatten(inputs))


def _column_names(prefix, table, several=False):
    columns = np.shape(table)[1]
    if several and columns == 1:
        return [prefix]
    return [f"{prefix} {column}" for column in range(columns)]


def _player_of_element(attribution, values, inputs):
    """Returns the player of every element, `inputs.shape[1:]`, None where the record cannot tell.

    The settings hold the players unless a callable made them. The proof is that the players'
    values, shared out, are the elements'.
    """
    if attribution.player_values is None:
        return None
    try:
        ids, count = segment(inputs, attribution.settings.get("players", "unknown"))
    except (TypeError, ValueError):  # a callable's name, or players of more inputs than these
        return None
    if count != attribution.player_values.shape[1]:
        return None
    return ids if np.allclose(shares(attribution.player_values, ids, count), values) else None


def _means(inputs, ids):
    """Returns the mean of each player's elements, `(batch, players)`."""
    order = np.argsort(ids, axis=None, kind="stable")
    elements = inputs.reshape(len(inputs), -1)[:, order]
    sizes = np.bincount(ids.ravel())
    if (sizes == 1).all():
        return elements
    starts = np.cumsum(sizes) - sizes
    return np.add.reduceat(elements, starts, axis=1, dtype="float64") / sizes


def _absent(player_values):
    """Returns where a row has no such player: rows with fewer players than others end in NaN."""
    missing = np.isnan(player_values)
    return np.logical_and.accumulate(missing[:, ::-1], axis=1)[:, ::-1]


def _without_absent(player_values):
    return np.where(_absent(player_values), 0.0, np.asarray(player_values, "float64"))


def _base_values(attribution, values):
    """Returns the score that the values leave: the base score and what no input was given."""
    score = np.asarray(attribution.score, "float64")
    by_row = values.reshape(len(score), -1, *score.shape[1:])
    left, base_score = score - by_row.sum(axis=1), attribution.base_score
    rounding = 1e-6 * np.abs(by_row).sum(axis=1)
    return np.where(np.abs(left - base_score) <= rounding, base_score, left)


def _shaped(data, features):
    data, expected = np.array(data), (len(features.values), *features.shape)
    if data.shape != expected:
        raise ValueError(f"data holds a number per feature, {expected}; received {data.shape}.")
    return data


def _named(features, names):
    """Returns features under a user's names: of columns, of each row's tokens, or a decoder."""
    if len(features.shape) != 1:
        raise ValueError(
            f"feature_names name the columns of (batch, features); one row here is "
            f"{features.shape}. Leave them out, or pass players=True and one name per player."
        )
    if callable(names) or isinstance(names, collections.abc.Mapping):
        tokens = _decoded(features, names)
    elif any(isinstance(name, list | tuple | np.ndarray) for name in names):
        tokens = _checked_tokens(features, names)
    else:
        return dataclasses.replace(features, names=_checked_columns(features, names))
    return dataclasses.replace(features, names=tokens, data=_spaced(tokens))


def _decoded(features, decode):
    ids = features.data
    if not features.whole or ids is None or not np.array_equal(ids, np.rint(ids)):
        raise TypeError(
            "feature_names decode token ids, one integer per feature; here features are "
            f"{'other numbers' if features.whole else 'groups of elements'}. Pass a list of "
            "names, or one list of texts per row."
        )
    ids = ids.astype("int64")
    if isinstance(decode, collections.abc.Mapping):
        unknown = sorted(set(ids.ravel().tolist()) - set(decode))
        if unknown:
            raise ValueError(f"feature_names has no token for the ids {unknown[:5]}.")
        decode = decode.__getitem__
    return [[str(decode(int(token))) for token in row] for row in ids]


def _checked_tokens(features, rows):
    lengths, width = sorted({len(row) for row in rows}), features.shape[0]
    if len(rows) != len(features.values) or lengths != [width]:
        raise ValueError(
            f"feature_names holds {len(rows)} lists of {lengths} tokens; expected "
            f"{len(features.values)}, one per row, of {width} tokens, padding included."
        )
    return [[str(token) for token in row] for row in rows]


def _spaced(rows):
    """Returns tokens as shap prints them, one after the other: words need a blank between."""
    if any(token != token.strip() for row in rows for token in row):
        return rows
    return [[f"{token} " for token in row] for row in rows]


def _checked_columns(features, names):
    if isinstance(names, str):
        raise TypeError(f"feature_names is a list of names; received the string {names!r}.")
    if len(names) != features.shape[0]:
        raise ValueError(
            f"Received {len(names)} feature_names for {features.shape[0]} features. For token ids "
            "pass a function from id to token, such as vocabulary.__getitem__."
        )
    return [str(name) for name in names]


def _checked_output_names(attribution, names):
    if names is None:
        return None
    if np.ndim(attribution.score) == 1:
        raise ValueError(
            "output_names name the outputs of an attribution of all outputs; this one has one "
            "score per row. Leave them out; shap.plots.image takes labels=."
        )
    if np.shape(names) != attribution.score.shape[1:]:
        raise ValueError(
            f"output_names is a list of {attribution.score.shape[1]} names, one per output; "
            f"received {names!r}."
        )
    return [str(name) for name in names]


def _channels_last(features):
    """Returns images as shap draws them, whatever Keras' image data format."""
    if len(features.shape) != 3 or keras.config.image_data_format() == "channels_last":
        return features
    return dataclasses.replace(
        features,
        values=np.moveaxis(features.values, 1, 3),
        data=np.moveaxis(features.data, 1, 3),
        error=None if features.error is None else np.moveaxis(features.error, 1, 3),
    )
