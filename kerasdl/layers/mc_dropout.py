"""Dropout that does not end with training."""

from typing import ClassVar

import keras

from kerasdl.layers import arguments
from kerasdl.registry import register


@register
class MCDropout(keras.layers.Dropout):
    """Dropout in training and at inference: every call is a sample of a Bayesian network.

    ```
    y = x * b / (1 - rate),  b ~ Bernoulli(1 - rate), one draw per element
    ```

    The mean of many predictions of the same input estimates the predictive mean, their spread the
    uncertainty of the weights (without the noise of the data, which is to be added). The argument
    `training` of `call` is accepted and ignored: the layer cannot be switched off but by `rate=0`.

    Args:
        rate: Share of the elements to drop, at least 0 and below 1.
        noise_shape: Shape of the mask, broadcast to the input's; `None` in it takes the input's
            size. `(None, 1, None)` drops whole features of a sequence. Default: the input's shape.
        seed: An integer, or `None` for a random seed. The draws go on from call to call.
        **kwargs: `name`, `dtype` and the other arguments of `keras.layers.Layer`.

    Input shape:
        Any.

    Output shape:
        The input's.

    Raises:
        ValueError: `rate` is not in [0, 1), or `noise_shape` holds no sizes.

    Example:
        >>> samples = np.stack([model.predict(x) for _ in range(50)])
        >>> mean, uncertainty = samples.mean(axis=0), samples.std(axis=0)

    Source:
        Gal, Ghahramani: Dropout as a Bayesian approximation, 2016 (arXiv 1506.02142). The founding
        notes ask for it.
    """

    random_at_inference: ClassVar[bool] = True
    search_space: ClassVar = {"rate": {"min_value": 0.05, "max_value": 0.5}}

    def __init__(self, rate=0.5, noise_shape=None, seed=None, **kwargs):
        remedy = "Use 0.5 to drop half of the elements."
        rate = arguments.number("MCDropout", "rate", rate, remedy, at_least=0, below=1)
        super().__init__(rate, noise_shape=noise_shape, seed=seed, **kwargs)

    def call(self, inputs, training=None):
        """Returns the inputs with elements dropped, whatever `training` says."""
        del training
        return super().call(inputs, training=True)
