"""A component under examination."""

import dataclasses
import functools

import keras
import numpy as np
from keras import tree

from kerasdl.testing import behaviour
from kerasdl.testing.results import FaultError, NotApplicableError, described


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """A component with what the checks need to run it.

    Attributes:
        component: The instance (an activation: the function).
        kind: Its kind, such as `"layer"`.
        inputs: NumPy arguments to run it with; see `inputs.py`.
        workers: Processes that load what was saved; see `worker.py`.
    """

    component: object
    kind: str
    inputs: tuple
    workers: object

    @property
    def name(self):
        """What messages call it."""
        return getattr(self.component, "__name__", type(self.component).__name__)

    @functools.cached_property
    def config(self):
        """The configuration; a function has none."""
        return {} if self.kind == "activation" else self.component.get_config()

    def states(self, fact):
        """Returns whether the component declares a fact of itself, such as `rows_interact`."""
        return bool(getattr(self.component, fact, False))

    def require_undeclared(self, fact, meaning):
        """Skips a check whose contrary the component declares."""
        if self.states(fact):
            raise NotApplicableError(f"{self.name} declares {fact} = True: {meaning}.")

    def clone(self, **changes):
        """Returns a new instance of the same configuration, with other values of some arguments."""
        if self.kind == "activation":
            return self.component
        return self.adapted(clone(self.component, **changes))

    def adapted(self, component):
        """Returns a component, which has seen the inputs where it is one that adapts to data."""
        if hasattr(component, "adapt"):
            component.adapt(self.inputs[0])
        return component

    def behaves(self, component):
        """Returns what a component of this kind gives for the inputs, a list of arrays."""
        return behaviour.of(self.kind, component, self.inputs)


def clone(component, **changes):
    """Returns a new instance of a component's configuration, with other values of some arguments.

    Raises:
        FaultError: The configuration does not lead back to an instance.
    """
    config = {**component.get_config(), **changes}
    try:
        return type(component).from_config(config)
    except Exception as error:
        if changes:
            raise
        raise FaultError(
            f"{type(component).__name__}.from_config(get_config()) raises {described(error)} "
            f"The configuration is {config}: it holds the constructor's arguments, with nested "
            "Keras objects serialized by get_config and deserialized by from_config."
        ) from error


def batch_size(inputs):
    """Returns the number of rows of inputs."""
    return len(tree.flatten(inputs)[0])


def differ(these, those, tolerance=1e-5):
    """Returns the greatest difference of two structures of arrays by their size, None if small.

    NaN and infinities count as equal where both have them.
    """
    pairs = list(zip(tree.flatten(these), tree.flatten(those), strict=False))
    if len(tree.flatten(these)) != len(tree.flatten(those)):
        return np.inf
    worst = max((_difference(np.asarray(a), np.asarray(b)) for a, b in pairs), default=0)
    return worst if worst > tolerance else None


def _difference(a, b):
    if a.shape != b.shape or a.dtype.kind in "OUS":
        return 0.0 if a.shape == b.shape and (a == b).all() else np.inf
    a, b = (np.asarray(part, "float64") for part in (a, b))
    if not a.size:
        return 0.0
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore", over="ignore"):
        gap = np.where(same, 0, np.abs(a - b))
    gap = np.where(np.isnan(gap), np.inf, gap)
    finite = np.abs(a[np.isfinite(a)])
    return float(gap.max() / max(1e-3, finite.max(initial=0)))


def numpy(structure):
    """Returns the tensors of a structure as arrays."""
    return tree.map_structure(keras.ops.convert_to_numpy, structure)
