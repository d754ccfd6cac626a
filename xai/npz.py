"""Writing records as `.npz` files that are whole or not there."""

import os

import numpy as np

from xai.replacing import replacing


def save_npz(path, arrays):
    """Writes arrays to an `.npz` file beside `path` and renames it: an interruption loses nothing.

    Args:
        path: Where to write, ending in `.npz`.
        arrays: The arrays by name, none of them of objects.

    Raises:
        ValueError: `path` has another suffix.
        OSError: The directory does not exist or cannot be written.
    """
    path = os.fspath(path)
    if not path.endswith(".npz"):
        raise ValueError(f"Records are saved as .npz; received {path!r}.")
    with replacing(path) as beside, open(beside, "xb") as file:
        np.savez_compressed(file, **arrays)
