"""Attributions as matplotlib figures: signed maps, one scale for all, zero in the middle."""

import numbers
import textwrap
import warnings

import keras
import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

_CELL = 1.5  # inches per image
_CAPTION = 18  # characters above an image


def heatmap(record, *, title=None, percentile=99.5):
    """Returns a figure of each input beside its attribution, or of synthesized images.

    Args:
        record: An `xai.Attribution` of images `(batch, height, width, channels)`, or what
            `xai.ActivationMaximization` returned.
        title: The heading of the attributions' column; default the method's name.
        percentile: See `grid`.

    Raises:
        ValueError: The inputs are no images.
    """
    if not hasattr(record, "values"):
        bounds = getattr(record, "settings", {}).get("bounds")
        return images(record.inputs, titles=_captions(record), bounds=bounds)
    return grid([record], titles=None if title is None else [title], percentile=percentile)


def grid(attributions, *, titles=None, percentile=99.5):
    """Returns a figure with a row per input and a column per attribution, all on one scale.

    Channels are summed. Red raises the score, blue lowers it, white is zero; the colours end at the
    given percentile of the absolute values of all maps together.

    Args:
        attributions: `xai.Attribution`s of the same inputs.
        titles: One heading per attribution; default the methods' names.
        percentile: Where the scale ends, in (0, 100].

    Raises:
        ValueError: No attributions, of different inputs, of something that is no image, another
            number of titles, or a percentile out of range.
    """
    attributions = list(attributions)
    maps = _signed_maps(attributions)
    titles = [a.method for a in attributions] if titles is None else list(titles)
    if len(titles) != len(attributions):
        raise ValueError(f"Expected {len(attributions)} titles; received {len(titles)}.")
    limit = _limit(maps, percentile)
    first = attributions[0]
    rows, columns = len(first), 1 + len(attributions)
    figure = Figure(figsize=(_CELL * columns + 2.2, _CELL * rows + 0.5), layout="compressed")
    axes = figure.subplots(rows, columns, squeeze=False)
    pictures = _displayable(first.inputs)
    for row in range(rows):
        _show(axes[row, 0], pictures[row], "input" if row == 0 else None)
        axes[row, 0].set_ylabel(_label(first, row), rotation=0, ha="right", va="center")
        for column, signed in enumerate(maps, start=1):
            heading = titles[column - 1] if row == 0 else None
            drawn = _show(axes[row, column], signed[row], heading, limit)
    figure.colorbar(drawn, ax=axes, label="contribution to the score", shrink=min(1, 3 / rows))
    return figure


def images(pictures, *, titles=None, columns=5, bounds=None):
    """Returns a figure of images `(count, height, width, channels)`, each under its title.

    Args:
        pictures: The images.
        titles: One for each.
        columns: Images side by side.
        bounds: The values of black and white; None for 0 and 1, or the extremes beyond.
    """
    pictures = _displayable(pictures, bounds)
    rows = -(-len(pictures) // columns)
    figure = Figure(figsize=(_CELL * columns, (_CELL + 0.4) * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for index, axis in enumerate(axes):
        if index < len(pictures):
            _show(axis, pictures[index], titles[index] if titles else None)
        else:
            axis.set_axis_off()
    return figure


def _show(axis, picture, heading, limit=None):
    axis.set_xticks([])
    axis.set_yticks([])
    if heading:
        axis.set_title(heading, fontsize=9)
    if limit is None:
        return axis.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    scale = Normalize(-limit, limit)
    return axis.imshow(picture, cmap=colormaps["bwr"], norm=scale, interpolation="nearest")


def _signed_maps(attributions):
    """Returns the attributions summed over channels, each `(batch, height, width)`."""
    if not attributions:
        raise ValueError("Received no attributions to draw.")
    shapes = [np.shape(attribution.values) for attribution in attributions]
    if any(len(shape) != 4 for shape in shapes) or len(set(shapes)) > 1:
        raise ValueError(
            "Heatmaps are drawn of images (batch, height, width, channels), all of one shape; "
            f"received attributions of shapes {shapes}."
        )
    return [attribution.values.sum(axis=_channel_axis()) for attribution in attributions]


def _limit(maps, percentile):
    if not 0 < percentile <= 100:
        raise ValueError(f"A percentile lies in (0, 100]; received {percentile!r}.")
    values = np.abs(np.concatenate([signed.ravel() for signed in maps]))
    finite = values[np.isfinite(values)]
    if len(finite) < len(values):
        warnings.warn("The attributions have NaN or infinite values, drawn blank.", stacklevel=3)
    limit = np.percentile(finite, percentile) if len(finite) else 1.0
    if limit > 0:
        return limit
    if finite.max() > 0:
        return finite.max()
    warnings.warn("The attributions are zero everywhere.", stacklevel=3)
    return 1.0


def _displayable(pictures, bounds=None):
    """Returns images in [0, 1], channels last or none; stretched only if they leave that range."""
    pictures = np.asarray(pictures, "float64")
    if pictures.ndim != 4:
        raise ValueError(
            f"Images have the shape (batch, height, width, channels); received {pictures.shape}."
        )
    pictures = np.moveaxis(pictures, _channel_axis(), -1)
    low, high = pictures.min(), pictures.max()
    if bounds is not None and np.isfinite(np.concatenate([*map(np.ravel, bounds)])).all():
        low, high = np.min(bounds[0]), np.max(bounds[1])
    if low < 0 or high > 1:
        pictures = (pictures - low) / (high - low)
    return pictures if pictures.shape[-1] == 3 else pictures.mean(axis=-1)


def _channel_axis():
    return 1 if keras.config.image_data_format() == "channels_first" else -1


def _label(attribution, row):
    if attribution.target is None:
        return f"score {attribution.score[row]:.1f} "
    return f"class {attribution.target[row]}\nscore {attribution.score[row]:.1f} "


def _captions(maximization):
    rows = zip(maximization.target, maximization.log_probability, strict=True)
    return [_caption(target, value) for target, value in rows]


def _caption(target, value):
    """Returns a class and its probability, or an objective and its value in lines that fit."""
    label = getattr(target, "class_", target)
    if isinstance(label, numbers.Integral):
        return f"class {label}: {np.exp(value):.3f}"
    return textwrap.fill(f"{target}: {value:.3g}", _CAPTION)
