"""The game of a Keras model: coalitions of players to scores, on the device, in fixed batches."""

import numpy as np
from keras import ops

from kerasdl.backend import jit

_ELEMENTS = 2**20  # input elements of an automatic batch


def blended_scores(model, select):
    """Returns the compiled function that scores coalitions of rows.

    Args:
        model: An `OpenModel`.
        select: A function of scores `(batch, outputs)` and classes `(batch,)` to `(batch,)`.

    Returns:
        A function of inputs `(rows, ...)`, classes `(rows,)`, baseline `(...)`, segments, the
        player of each element of a row, flat, and for each evaluation its row `(batch,)` and the
        mask of its players `(batch, players)`; to the scores `(batch,)`.
    """

    def scores(inputs, classes, baseline, segments, rows, masks):
        values = ops.take(inputs, rows, axis=0)
        present = ops.reshape(ops.take(masks, segments, axis=1), ops.shape(values))
        blends = ops.where(present, values, baseline)
        return select(model.scores(blends), ops.take(classes, rows, axis=0))

    return jit(scores, model.model.variables)


def model_game(scores, inputs, classes, baseline, segments, batch_size=None):
    """Returns the game of some rows: coalitions `(n, players)` to scores `(n, rows)`.

    Args:
        scores: What `blended_scores` returned.
        inputs: The rows to explain, `(rows, ...)`; they stay on the device.
        classes: The class of each row, `(rows,)`.
        baseline: The absent values of one row, `(...)`.
        segments: The player of each element of one row, `(...)`.
        batch_size: Model evaluations per call; None picks by the size of the inputs.
    """
    batch_size = batch_size or int(np.clip(_ELEMENTS // segments.size, 8, 512))
    count = len(inputs)
    fixed = [inputs, classes, baseline, segments.ravel().astype("int32")]
    fixed = [ops.convert_to_tensor(array) for array in fixed]

    def game(coalitions):
        results = np.empty(len(coalitions) * count, "float64")
        for start in range(0, len(results), batch_size):
            pairs = np.arange(start, start + batch_size) % len(results)  # the last batch is filled
            rows = ops.convert_to_tensor((pairs % count).astype("int32"))
            masks = ops.convert_to_tensor(coalitions[pairs // count])
            batch = ops.convert_to_numpy(scores(*fixed, rows, masks))
            results[start : start + batch_size] = batch[: len(results) - start]
        return results.reshape(len(coalitions), count)

    return game
