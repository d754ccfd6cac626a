"""Self-attention whose keys are its queries and whose values are its input."""

from typing import ClassVar

import keras
import numpy as np
from keras import ops

from kerasdl.layers import arguments
from kerasdl.registry import register


@register
class TiedQKAttention(keras.layers.Layer):
    """Self-attention with one kernel for queries and keys, and the input itself as values.

    ```
    q = x W                                    (batch, time, key_dim)
    y = softmax(q q' / sqrt(key_dim)) x
    ```

    With several heads, head h attends with its own columns of W over its own share of the features,
    features `h * n` to `(h + 1) * n` with `n = features / num_heads`, and the shares are put side
    by side again. (The notes have one head only.) The output is thus an average of inputs, in the
    input's shape, and W is all that is trained.

    The scores are symmetric and as a rule largest on the diagonal: the layer mixes similar
    positions. (Reformer, which shares queries and keys too, normalizes the keys and masks the
    diagonal; here neither is done.) Scores and softmax are computed in at least float32. A
    position that may attend to none gets 0.

    Args:
        key_dim: Size of the queries and keys of each head.
        num_heads: Number of heads; it must divide the number of features.
        causal: Whether a position attends only to itself and those before it.
        kernel_initializer: Initializer of W, `(features, num_heads * key_dim)`.
        kernel_regularizer: Regularizer of W.
        **kwargs: `name`, `dtype` and the other arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: The sequences.
        attention_mask: Booleans that broadcast to `(batch, time, time)`, true where the position of
            the second axis may attend to that of the third.
        mask: Booleans `(batch, time)`, true where positions may be attended to; the mask that comes
            with the inputs by default. It is passed on.

    Input shape:
        `(batch, time, features)`; `features` must be known, `time` need not.

    Output shape:
        The input's.

    Raises:
        ValueError: `key_dim` or `num_heads` is no positive integer; at the first call: the input is
            no sequence of vectors of a known size, or `num_heads` does not divide it.

    Example:
        >>> y = TiedQKAttention(key_dim=16, num_heads=4, causal=True)(keras.Input((None, 64)))

    Source:
        The founding notes. Vaswani et al.: Attention is all you need, 2017 (arXiv 1706.03762),
        equation 1, with its scale by the size per head. Kitaev, Kaiser, Levskaya: Reformer, 2020
        (arXiv 2001.04451), section 2, for shared queries and keys.
    """

    search_space: ClassVar = {"key_dim": [8, 16, 32, 64], "causal": [False, True]}
    other_settings: ClassVar[dict] = {
        "num_heads": 2,
        "kernel_initializer": "ones",
        "kernel_regularizer": "l2",
    }

    @classmethod
    def example(cls):
        """Returns a layer of one head."""
        return cls(key_dim=3)

    @classmethod
    def example_inputs(cls):
        """Returns sequences whose features two heads can share."""
        return np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")

    def __init__(
        self,
        key_dim,
        num_heads=1,
        causal=False,
        kernel_initializer="glorot_uniform",
        *,
        kernel_regularizer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        name, remedy = "TiedQKAttention", "Use 16 for the size of a head, 1 for the heads."
        self.key_dim = arguments.integer(name, "key_dim", key_dim, remedy, at_least=1)
        self.num_heads = arguments.integer(name, "num_heads", num_heads, remedy, at_least=1)
        self.causal = bool(causal)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.supports_masking = True

    def build(self, input_shape):
        """Creates the kernel of queries and keys."""
        features = input_shape[-1] if len(input_shape) == 3 else None
        if features is None or features % self.num_heads:
            raise ValueError(
                f"TiedQKAttention(num_heads={self.num_heads}) got an input of shape "
                f"{tuple(input_shape)}, but needs (batch, time, features) with a known number of "
                "features that the number of heads divides. Use 1 head, or reshape."
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(features, self.num_heads * self.key_dim),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )

    def call(self, inputs, attention_mask=None, mask=None, inputs_mask=None):
        """Returns the averages of the inputs that each position attends to.

        Keras fills `mask` from the inputs where they are the only tensor, `inputs_mask` where an
        `attention_mask` comes along.
        """
        mask = inputs_mask if mask is None else mask
        queries = self._heads(ops.matmul(inputs, self.kernel))
        weights = self._weights(queries, self._allowed(queries, attention_mask, mask))
        values = self._heads(inputs)
        mixed = ops.matmul(ops.cast(weights, self.compute_dtype), values)
        mixed = ops.reshape(ops.transpose(mixed, (0, 2, 1, 3)), ops.shape(inputs))
        return ops.cast(mixed, self.compute_dtype)  # torch multiplies float64 matrices in float32

    def compute_output_shape(self, input_shape):
        """Returns the input's shape."""
        return input_shape

    def get_config(self):
        """Returns the constructor's arguments."""
        own = {name: getattr(self, name) for name in ("key_dim", "num_heads", "causal")}
        own["kernel_initializer"] = keras.initializers.serialize(self.kernel_initializer)
        own["kernel_regularizer"] = keras.regularizers.serialize(self.kernel_regularizer)
        return {**super().get_config(), **own}

    def _heads(self, x):
        """(batch, time, features) as (batch, heads, time, features of a head)."""
        batch, time, features = ops.shape(x)
        shape = (batch, time, self.num_heads, features // self.num_heads)
        return ops.transpose(ops.reshape(x, shape), (0, 2, 1, 3))

    def _allowed(self, queries, attention_mask, mask):
        """Who may attend to whom, broadcastable to (batch, heads, time, time)."""
        time = ops.arange(ops.shape(queries)[2])
        before = ops.expand_dims(time, 1) >= ops.expand_dims(time, 0)
        allowed = before if self.causal else ops.ones_like(before)
        if mask is not None:
            allowed = ops.logical_and(allowed, ops.cast(mask, "bool")[:, None, None, :])
        if attention_mask is not None:
            attention_mask = ops.cast(attention_mask, "bool")
            if len(attention_mask.shape) == 3:
                attention_mask = ops.expand_dims(attention_mask, 1)
            allowed = ops.logical_and(allowed, attention_mask)
        return allowed

    def _weights(self, queries, allowed):
        queries = ops.cast(queries, keras.backend.result_type(self.compute_dtype, "float32"))
        scores = ops.matmul(queries, ops.transpose(queries, (0, 1, 3, 2)))
        scores = scores / self.key_dim**0.5
        # A number, not an infinity: a row without any true would be NaN. It is set to 0 below.
        weights = ops.softmax(ops.where(allowed, scores, ops.full_like(scores, -1e30)), axis=-1)
        return ops.where(allowed, weights, ops.zeros_like(weights))
