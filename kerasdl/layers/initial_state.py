"""A start state for recurrent layers that is learned, or noisy."""

from typing import ClassVar

import keras
import numpy as np
from keras import ops, tree

from kerasdl.layers import arguments
from kerasdl.layers.layer_wrapper import LayerWrapper
from kerasdl.registry import register


@register
class InitialState(LayerWrapper):
    """Lets a recurrent layer start from a learned state, or from a noisy one.

    ```
    learned: h_0 = theta, the same for each row
    noise:   h_0 = stddev * n,  n ~ N(0, 1), one draw per row; in training only
    ```

    Each state tensor of the layer gets its own (an LSTM has two, stacked cells have their own
    each, a `Bidirectional` layer those of both directions). What is learned or drawn is added to
    the state that the layer starts from by itself, zeros as a rule. Masks, `return_sequences` and
    `return_state` work as in the layer.

    Args:
        layer: A `SimpleRNN`, `GRU`, `LSTM`, `RNN` or `ConvLSTM` layer, or `Bidirectional`.
        mode: `"learned"` or `"noise"`.
        stddev: Standard deviation of the noise, at least 0; unused where the state is learned.
        initializer: Initializer of the learned states; unused by the noise.
        seed: An integer, or `None` for random noise.
        **kwargs: `name`, `dtype` (default: the layer's) and the other arguments of
            `keras.layers.Layer`.

    Input shape:
        What the layer takes, such as `(batch, time, features)`.

    Output shape:
        What the layer gives.

    Raises:
        ValueError: `layer` is not recurrent or is stateful, `mode` is none of the two, or `stddev`
            is negative.

    Example:
        >>> y = InitialState(keras.layers.GRU(32, return_sequences=True))(x)

    Source:
        The founding notes. Zimmermann, Tietz, Grothmann: Forecasting with recurrent neural
        networks: 12 tricks, 2012, for the noise.
    """

    other_settings: ClassVar[dict] = {
        "layer": lambda: keras.layers.LSTM(2),
        "mode": "noise",
        "initializer": lambda: keras.initializers.Constant(0.3),
    }
    search_space: ClassVar = {
        "mode": ["learned", "noise"],
        "stddev": {"min_value": 0.01, "max_value": 1.0, "sampling": "log"},
    }

    @classmethod
    def example(cls):
        """Returns a recurrent layer with a learned state that is not 0."""
        return cls(keras.layers.GRU(2), initializer="ones")

    @classmethod
    def example_inputs(cls):
        """Returns sequences."""
        return np.random.default_rng(0).normal(size=(3, 4, 2)).astype("float32")

    def __init__(
        self, layer, mode="learned", stddev=0.1, initializer="zeros", *, seed=None, **kwargs
    ):
        super().__init__(layer, **kwargs)
        _refuse_unless_recurrent(layer)
        self.mode = arguments.choice("InitialState", "mode", mode, ("learned", "noise"))
        self.stddev = arguments.number("InitialState", "stddev", stddev, "Use 0.1.", at_least=0)
        self.initializer = keras.initializers.get(initializer)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        """Builds the layer and creates the learned states."""
        super().build(input_shape)
        if self.mode == "learned":
            self.states = [
                self.add_weight(
                    name=f"state_{index}", shape=state.shape[1:], initializer=self.initializer
                )
                for index, state in enumerate(tree.flatten(_own_state(self.layer, 1)))
            ]

    def call(self, inputs, mask=None, training=None):
        """Returns the layer's outputs from the learned or noisy start."""
        start = _own_state(self.layer, ops.shape(inputs)[0])
        flat = tree.flatten(start)
        if self.mode == "learned":
            flat = [
                own + ops.cast(state, own.dtype)
                for own, state in zip(flat, self.states, strict=True)
            ]
        elif training:
            flat = [self._noisy(own) for own in flat]
        start = tree.pack_sequence_as(start, flat)
        return self.call_layer(inputs, mask, initial_state=start)

    def get_config(self):
        """Returns the constructor's arguments."""
        own = {name: getattr(self, name) for name in ("mode", "stddev", "seed")}
        own["initializer"] = keras.initializers.serialize(self.initializer)
        return {**super().get_config(), **own}

    def _noisy(self, state):
        noise = keras.random.normal(ops.shape(state), dtype=state.dtype, seed=self.seed_generator)
        return state + self.stddev * noise


def _directions(layer):
    if isinstance(layer, keras.layers.Bidirectional):
        return [layer.forward_layer, layer.backward_layer]
    return [layer]


def _own_state(layer, batch_size):
    """The state that a layer starts from by itself; for two directions, one list after another."""
    return [
        state
        for direction in _directions(layer)
        for state in direction.get_initial_state(batch_size=batch_size)
    ]


def _refuse_unless_recurrent(layer):
    for direction in _directions(layer):
        if not hasattr(direction, "get_initial_state"):
            raise ValueError(
                f"InitialState(layer={layer.name!r}): a {type(layer).__name__} has no state. "
                "Wrap a recurrent layer, such as keras.layers.GRU."
            )
        if getattr(direction, "stateful", False):
            raise ValueError(
                f"InitialState(layer={layer.name!r}): the layer is stateful and goes on from its "
                "last state. Build it with stateful=False."
            )
