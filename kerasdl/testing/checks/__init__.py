"""The checks of each kind, plain functions of a `Subject`.

A check raises `FaultError` for what it finds wrong and `NotApplicableError` where it has nothing to
say; it may return a note.
"""

from kerasdl.testing.checks import (
    activations,
    callbacks,
    configuration,
    constraints,
    initializers,
    layers,
    losses,
    masks,
    metrics,
    optimizer_settings,
    optimizers,
    precision,
    randomness,
    regularizers,
    saving,
    schedules,
)

_EVERY_KIND = configuration.CHECKS
_OF_A_KIND = {
    "layer": layers.CHECKS + randomness.CHECKS + precision.CHECKS + masks.CHECKS,
    "loss": losses.CHECKS,
    "metric": metrics.CHECKS,
    "optimizer": optimizers.CHECKS + optimizer_settings.CHECKS,
    "schedule": schedules.CHECKS,
    "initializer": initializers.CHECKS,
    "regularizer": regularizers.CHECKS,
    "constraint": constraints.CHECKS,
    "activation": activations.CHECKS,
    "callback": callbacks.CHECKS,
}


def checks_of(kind):
    """Returns the checks of a kind, cheap ones first."""
    return (*_EVERY_KIND, *_OF_A_KIND[kind], *saving.CHECKS)
