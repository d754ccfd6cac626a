"""What a trial may neither depend on nor leave behind: random states and counters of names."""

import contextlib
import random

import keras
import numpy as np

# Keras' counters behind "dense_1" and "auc_1", and what keras.utils.set_random_seed leaves there.
_KERAS_ATTRIBUTES = ("object_name_uids", "global_random_seed", "global_seed_generator")


@contextlib.contextmanager
def reproducible(*seeds):
    """Within the block the same seeds give the same model, weights, batches and layer names.

    Afterwards Python's, NumPy's and Keras' own random states are what they were; those of
    TensorFlow and torch cannot be put back in public and stay as the block left them.

    Args:
        *seeds: Non-negative integers; each combination gives an unrelated stream.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    with _fresh_keras_state():
        keras.utils.set_random_seed(derive(*seeds))
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)


def derive(*seeds):
    """Returns one seed of 32 bits for several; neighbours such as 0 and 1 share no stream."""
    return int(np.random.SeedSequence(seeds).generate_state(1)[0])


@contextlib.contextmanager
def _fresh_keras_state():
    # Without it the second trial's keras.metrics.AUC() would log "auc_1", which no objective names.
    # keras.utils.clear_session is no way: it also drops the user's dtype policy and distribution.
    from keras.src.backend.common import global_state

    kept = {name: global_state.get_global_attribute(name) for name in _KERAS_ATTRIBUTES}
    for name in _KERAS_ATTRIBUTES:
        global_state.set_global_attribute(name, None)
    try:
        yield
    finally:
        for name, value in kept.items():
            global_state.set_global_attribute(name, value)
