"""The one-liner."""

from xai.lrp import LRP
from xai.shapley import SampledShapley

METHODS = {"lrp": LRP, "shapley": SampledShapley}


def explain(model, x, method="lrp", target=None, **settings):
    """Returns the attribution of a model's inputs by a method with its settings.

    Args:
        model: A trained Keras model.
        x: Inputs of the model, `(batch, ...)`.
        method: `"lrp"` or `"shapley"`.
        target: See the method.
        **settings: The method's constructor arguments, such as `composite` or `baseline`.

    Raises:
        ValueError: An unknown method.

    Example:
        >>> xai.explain(model, x_test[:8], method="shapley", baseline=0.0)
    """
    if method not in METHODS:
        raise ValueError(
            f"No attribution method is called {method!r}; expected one of "
            f"{', '.join(map(repr, METHODS))}."
        )
    return METHODS[method](model, **settings)(x, target=target)
