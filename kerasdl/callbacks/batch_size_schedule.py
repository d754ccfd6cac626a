"""Batches that grow, or shrink, from epoch to epoch."""

import functools
import math
import numbers
import operator
from typing import ClassVar

import keras
import numpy as np
from keras import tree

from kerasdl.registry import register


class ScheduledBatches(keras.utils.PyDataset):
    """An endless shuffled stream of samples, cut into batches of a size that may change.

    Keras fixes the number of batches of an epoch when `fit` begins. An epoch here is therefore
    `steps` batches of the current size, and not a pass: the stream goes on where the last epoch
    ended, shuffles anew whenever all samples have come, and leaves none out. Give the dataset to
    one `fit` at a time, without `steps_per_epoch`, which would let Keras fetch batches ahead.

    Args:
        x: Inputs: an array or a structure of arrays.
        y: Targets, alike.
        batch_size: The size until it is changed.
        steps: Batches per epoch. Default: those of one pass at `batch_size`.
        seed: For the order of the samples.

    Raises:
        ValueError: `batch_size` or `steps` is no positive integer, or arrays differ in length.

    Example:
        >>> batches = ScheduledBatches(x_train, y_train, batch_size=32)
    """

    def __init__(self, x, y, batch_size=32, steps=None, seed=0):
        super().__init__()
        lengths = {len(values) for values in tree.flatten((x, y))}
        if len(lengths) != 1 or not min(lengths):
            raise ValueError(
                f"ScheduledBatches needs as many targets as inputs, and some: {sorted(lengths)}."
            )
        self.data = (x, y)
        self.num_samples = lengths.pop()
        self.batch_size = _positive("ScheduledBatches(batch_size", batch_size)
        self.steps = math.ceil(self.num_samples / self.batch_size)
        if steps is not None:
            self.steps = _positive("ScheduledBatches(steps", steps)
        self.seed = seed
        self._start = 0

    @property
    def num_batches(self):
        """The number of batches of every epoch."""
        return self.steps

    def __getitem__(self, index):
        """Returns a batch `(x, y)` of the current epoch."""
        positions = self._start + index * self.batch_size + np.arange(self.batch_size)
        passes, places = np.divmod(positions, self.num_samples)
        order = functools.partial(_order, self.num_samples, self.seed)
        rows = np.array([order(n)[place] for n, place in zip(passes, places, strict=True)])
        return tree.map_structure(operator.itemgetter(rows), self.data)

    def advance(self, batch_size):
        """Begins the next epoch, with batches of another size, where this one ends."""
        self._start += self.steps * self.batch_size
        self.batch_size = batch_size

    def rewind(self, batch_size):
        """Begins the stream anew."""
        self._start = 0
        self.batch_size = batch_size


@register
class BatchSizeSchedule(keras.callbacks.Callback):
    """Changes the batch size of `ScheduledBatches` from epoch to epoch.

    Larger batches average out the noise of the gradient as a smaller learning rate does, and make
    better use of the hardware. Each size is compiled anew on JAX.

    Args:
        data: The `ScheduledBatches` that `fit` is given.
        sizes: Epoch, counted from 0, -> the batch size from that epoch on; epoch 0 must be there.

    Attributes:
        history: The batch size of each epoch of the last `fit`.

    Raises:
        TypeError: `data` is no `ScheduledBatches`.
        ValueError: `sizes` has no epoch 0 or something else than positive integers.

    Example:
        >>> batches = ScheduledBatches(x_train, y_train)
        >>> schedule = BatchSizeSchedule(batches, {0: 32, 10: 64, 20: 256})
        >>> model.fit(batches, epochs=30, callbacks=[schedule])

    Source:
        The founding notes. Smith, Kindermans, Ying, Le: Don't decay the learning rate, increase the
        batch size, 2018 (arXiv 1711.00489).
    """

    changes_training: ClassVar = True

    def __init__(self, data, sizes):
        super().__init__()
        if not isinstance(data, ScheduledBatches):
            raise TypeError(
                f"BatchSizeSchedule(data={type(data).__name__}): Keras fixes the batch size of "
                "other data when fit begins. Give ScheduledBatches(x, y) here and to fit."
            )
        if 0 not in sizes:
            raise ValueError(
                f"BatchSizeSchedule(sizes={sizes!r}): the size of epoch 0 is missing. Give a dict "
                "of sizes by first epoch, such as {0: 32, 10: 64}."
            )
        self.data = data
        self.sizes = {
            int(epoch): _positive(f"BatchSizeSchedule(sizes[{epoch!r}]", size)
            for epoch, size in sorted(sizes.items())
        }
        self.history = []

    @classmethod
    def example(cls):
        """Returns an instance with data for a model of four inputs and one output."""
        x, y = np.zeros((8, 4), "float32"), np.zeros((8, 1), "float32")
        return cls(ScheduledBatches(x, y), {0: 2, 1: 4})

    def on_train_begin(self, logs=None):
        """Begins a new history."""
        self.history = []

    def on_epoch_begin(self, epoch, logs=None):
        """Sets the batch size; Keras asks for the epoch's batches after this."""
        size = [size for first, size in self.sizes.items() if first <= epoch][-1]
        move = self.data.advance if self.history else self.data.rewind
        move(size)
        self.history.append(size)


@functools.lru_cache(maxsize=4)
def _order(num_samples, seed, number):
    """The order of the samples in a pass; Keras asks for batches one by one."""
    return np.random.default_rng([seed, number]).permutation(num_samples)


def _positive(call, value):
    if not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"{call}={value!r}): a positive integer is expected. Use 32 if in doubt.")
    return int(value)
