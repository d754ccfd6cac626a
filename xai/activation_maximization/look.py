"""Looking at an ascent while it goes: a progress bar, and a user's callbacks."""

import contextlib

import numpy as np


class Look(contextlib.AbstractContextManager):
    """Called by an ascent after every chunk of steps; see `Ascent`.

    Args:
        steps: The number of steps to come.
        progress: Whether to show a bar.
        callbacks: Functions of the number of steps so far and the inputs.
        structured: A function that gives inputs the structure that the callbacks are to see.
    """

    def __init__(self, steps, progress, callbacks, structured):
        from tqdm import tqdm

        self._callbacks = callbacks
        self._structured = structured
        self._bar = tqdm(total=steps, disable=not progress, unit="step")
        self._done = 0

    def __exit__(self, *_):
        self._bar.close()

    def __call__(self, taken, values, inputs):
        """Shows how far an ascent is; `inputs` is a function that returns them."""
        self._done += taken
        self._bar.update(taken)
        self._bar.set_postfix(least=f"{np.min(values):.3g}")
        shown = self._structured(inputs()) if self._callbacks else None
        for callback in self._callbacks:
            callback(self._done, shown)
