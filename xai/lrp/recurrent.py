"""Recurrent layers: gates carry no relevance, the signal carries all.

Each step reads the input and the last state side by side, `[x, h]`, by one linear map for the
signal, to which the rule applies, and one for the gates, which count as constants. A sum of gated
signals shares relevance by its summands.

Source: Arras et al. 2017, Explaining recurrent neural network predictions in sentiment analysis
(arXiv 1706.07206), "LRP-all".
"""

import dataclasses

import keras
from keras import ops

from xai.lrp.precision import raised
from xai.lrp.steering import detached, pass_on

RECURRENT = (keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN, keras.layers.RNN)


@dataclasses.dataclass(frozen=True, eq=False)
class RecurrentMap:
    """A recurrent layer over a cell that is known.

    Attributes:
        layer: The Keras layer.
        folded: Nothing is folded in.
    """

    layer: object
    folded: tuple = ()

    def weights(self):
        """Returns copies of the kernel and bias by which a step maps `[x, h]` to the signal."""
        return self._columns(_CELLS[type(self.layer.cell)].signal)

    def gates(self):
        """Returns copies of the kernel and bias of the gates, None if there are none."""
        blocks = _CELLS[type(self.layer.cell)].gates
        if not blocks:
            return None
        kernel, bias = self._columns(blocks)
        if bias is not None and len(bias.shape) == 2:  # a GRU's for the input and for the state
            bias = ops.sum(bias, axis=0)
        return kernel, bias

    def _columns(self, blocks):
        """Returns those blocks of columns of the stacked kernels, and of the bias."""
        cell = self.layer.cell
        dtype = raised(cell.variable_dtype)
        both = [detached(cell.kernel, dtype), detached(cell.recurrent_kernel, dtype)]
        bias = detached(cell.bias, dtype) if cell.use_bias else None
        pick = [block * cell.units + unit for block in blocks for unit in range(cell.units)]
        kernel = ops.take(ops.concatenate(both, axis=0), pick, axis=1)
        return kernel, None if bias is None else ops.take(bias, pick, axis=-1)

    def run(self, rule, weights, site, sequences, initial_state=None, mask=None):
        """Returns the layer's outputs with the gradients that the rule prescribes.

        Args:
            rule: A rule for the map of the signal.
            weights: What the rule prepared for it, and the gates' under `"gates"`.
            site: The `Site` of the layer.
            sequences: `(batch, time, features)`.
            initial_state: The states to begin with; zeros by default.
            mask: `(batch, time)`, or None.
        """
        layer = self.layer
        cell = _CELLS[type(layer.cell)](layer.cell, rule, weights, site)
        sequences = ops.cast(sequences, cell.compute_dtype)
        recurrent = keras.layers.RNN(
            cell,
            return_sequences=layer.return_sequences,
            return_state=layer.return_state,
            go_backwards=layer.go_backwards,
            zero_output_for_mask=layer.zero_output_for_mask,
            unroll=layer.unroll,
            dtype=cell.compute_dtype,
        )
        if initial_state is None and layer.stateful:
            initial_state = [ops.copy(ops.stop_gradient(state.value)) for state in layer.states]
        return recurrent.call(sequences, initial_state=initial_state, mask=mask)


def recurrent_map(layer):
    """Returns the recurrent map of a layer, None if it is none or its cell is not known."""
    known = isinstance(layer, RECURRENT) and type(layer).call in {cls.call for cls in RECURRENT}
    return RecurrentMap(layer) if known and type(layer.cell) in _CELLS else None


class _Cell:
    """A cell as `keras.layers.RNN` takes it, made anew for each run.

    Attributes:
        signal: The blocks of the kernel's columns that make the signal.
        gates: The others.
    """

    def __init__(self, cell, rule, weights, site):
        self.state_size = keras.tree.flatten(cell.state_size)
        self.compute_dtype = raised(cell.variable_dtype)
        self._cell = cell
        self._rule = rule
        self._weights = weights
        self._site = site

    def __call__(self, inputs, states, training=None):
        """Returns the output and the states after a step."""
        return self.call(inputs, states)

    def _signal(self, linear, x):
        """Returns the activated signal, its relevance passed on to what the rule says."""
        z = self._rule(linear, self._weights, x, self._site)
        activation = self._cell.activation
        if activation is keras.activations.linear:
            return z
        return pass_on(activation(ops.stop_gradient(z)), z)

    def _open_gates(self, x):
        """Returns the gates, constants, side by side in their order."""
        return self._cell.recurrent_activation(
            _affine(ops.stop_gradient(x), *self._weights["gates"])
        )


class _SimpleCell(_Cell):
    signal, gates = (0,), ()

    def call(self, inputs, states):
        """`h = activation(f([x, h]))`."""
        (h,) = states
        h = self._signal(_affine, ops.concatenate([inputs, h], axis=-1))
        return h, [h]


class _LSTMCell(_Cell):
    signal, gates = (2,), (0, 1, 3)

    def call(self, inputs, states):
        """`c = forget * c + enter * signal`; `h = leave * activation(c)`."""
        h, c = states
        x = ops.concatenate([inputs, h], axis=-1)
        enter, forget, leave = ops.split(self._open_gates(x), 3, axis=-1)
        c = forget * c + enter * self._signal(_affine, x)
        h = leave * pass_on(self._cell.activation(ops.stop_gradient(c)), c)
        return h, [h, c]


class _GRUCell(_Cell):
    signal, gates = (2,), (0, 1)

    def call(self, inputs, states):
        """`h = update * h + (1 - update) * signal`, which sees `h` through the reset gate."""
        (h,) = states
        x = ops.concatenate([inputs, h], axis=-1)
        update, reset = ops.split(self._open_gates(x), 2, axis=-1)
        if not self._cell.reset_after:
            x = ops.concatenate([inputs, reset * h], axis=-1)
            signal = self._signal(_affine, x)
        else:
            signal = self._signal(_ResetAfter(reset, inputs.shape[-1]), x)
        h = update * h + (1 - update) * signal
        return h, [h]


@dataclasses.dataclass(frozen=True, eq=False)
class _ResetAfter:
    """The linear map of a GRU's signal whose reset gate scales what the state's kernel makes."""

    reset: object
    features: int

    def __call__(self, x, kernel, bias=None):
        """Returns `x W + b + reset * (h U + c)` for `[x, h]` and rows `b` and `c` of the bias."""
        own, other = (None, None) if bias is None else (bias[0], bias[1])
        from_input = _affine(x[:, : self.features], kernel[: self.features], own)
        from_state = _affine(x[:, self.features :], kernel[self.features :], other)
        return from_input + self.reset * from_state


def _affine(x, kernel, bias=None):
    z = ops.matmul(x, kernel)
    return z if bias is None else z + bias


_CELLS = {
    keras.layers.LSTMCell: _LSTMCell,
    keras.layers.GRUCell: _GRUCell,
    keras.layers.SimpleRNNCell: _SimpleCell,
}
