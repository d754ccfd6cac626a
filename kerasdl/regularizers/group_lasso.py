"""The penalty that removes whole units."""

from typing import ClassVar

from kerasdl.registry import register
from kerasdl.regularizers.mixed_norm import MixedNorm


@register
class GroupLasso(MixedNorm):
    """The sum of the lengths of groups of weights, which makes whole groups vanish.

    ```
    penalty = factor * sum_i sqrt(sum_j w_ij**2)
    ```

    i counts the groups, along `axis`; j counts the weights of a group, along all other axes. By
    default a group is all that leads to one output unit or filter; `axis=-2` groups what starts
    from one input unit or channel. It is `MixedNorm(factor, p=2, q=1, axis=axis)`; the paper's
    factor sqrt(group size) is the same for all groups of a weight and goes into `factor`.

    The gradient of a group of zeros is 0, one of its subgradients. Gradient descent itself seldom
    reaches exact zeros: cut the groups that stay short.

    Args:
        factor: Weight of the penalty, at least 0.
        axis: The axis, or several, along which the groups lie.

    Raises:
        ValueError: `factor` is negative or not finite, `axis` holds no integer, or, when called,
            the weight lacks such an axis.

    Example:
        >>> keras.layers.Dense(8, kernel_regularizer=GroupLasso(1e-3))

    Source:
        Yuan, Lin: Model selection and estimation in regression with grouped variables, 2006.
        Scardapane, Comminiello, Hussain, Uncini: Group sparse regularization for deep neural
        networks, 2017 (arXiv 1607.00485).
    """

    search_space: ClassVar = {
        "factor": {"min_value": 1e-6, "max_value": 1e-1, "sampling": "log"},
    }

    def __init__(self, factor=0.01, axis=-1):
        super().__init__(factor, p=2, q=1, axis=axis)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {"factor": self.factor, "axis": self.axis}
