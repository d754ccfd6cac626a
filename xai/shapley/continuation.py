"""Going on from an earlier result: only where everything but the budget is the same."""

import hashlib

import numpy as np
from keras import tree


def check_continuation(earlier, inputs, settings, digests):
    """Refuses to go on from an attribution of something else.

    Args:
        earlier: An `Attribution`.
        inputs: The inputs to go on with.
        settings: The settings that must be the same.
        digests: Likewise, of what is too large to keep.

    Raises:
        ValueError: Something differs, or the attribution has no state; the message names what.
    """
    if earlier.method != "shapley" or earlier.state is None:
        raise ValueError(
            f"An attribution by {earlier.settings.get('method', earlier.method)!r} has nothing to "
            "go on from; continue_from takes one of SampledShapley by another method."
        )
    given = {**settings, **digests, "inputs": digest(tree.flatten(inputs))}
    was = {**earlier.settings, **earlier.state["digests"]}
    was["inputs"] = digest(tree.flatten(earlier.inputs))
    differing = [name for name in given if not np.array_equal(given[name], was.get(name))]
    if differing:
        raise ValueError(
            f"continue_from is a result of other {', '.join(differing)}: only the number of "
            "evaluations and the tolerance may change. Start anew without it."
        )


def digest(arrays):
    """Returns a short name for arrays: equal arrays have equal names."""
    sha = hashlib.sha256()
    for array in arrays:
        array = np.asarray(array)
        sha.update(f"{array.dtype} {array.shape}".encode())
        sha.update(array.tobytes() if array.dtype != object else b"None")
    return sha.hexdigest()
