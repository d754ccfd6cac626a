"""Runs all checks of a component."""

import inspect
import warnings

from kerasdl import registry
from kerasdl.kinds import BASES, kind_of
from kerasdl.testing.checks import checks_of
from kerasdl.testing.inputs import inputs_of
from kerasdl.testing.results import (
    CheckResult,
    ComponentError,
    FaultError,
    NotApplicableError,
    described,
)
from kerasdl.testing.subject import Subject
from kerasdl.testing.worker import Workers, refuse_within_worker

USUAL_INPUTS = "it_runs_on_the_usual_inputs"  # or on those given; else nothing can be checked
ON_FAIL = ("raise", "warn", None)


def check_component(component, inputs=None, expected_failures=None, on_fail="raise"):
    r"""Examines whether a component keeps to what Keras and its users rely on.

    Every constructor argument is varied, and must survive `get_config`, JSON, saving and loading in
    a fresh process; shapes, dtypes, gradients, masks, compilation and mixed precision are examined
    as the kind asks, and the installed backends are compared with one another.

    Class attributes of a component, all of them optional, help the checks:

    - `example`: a classmethod that returns an instance to examine, see `parametrize_components`.
    - `example_inputs`: a classmethod that returns what `inputs` would hold.
    - `other_settings`: for arguments whose other values cannot be guessed, such as strings, one
      that is valid (or a function that returns one), by name.
    - `rows_interact`, `random_at_inference`, `surrogate_gradient`, `changes_training`: True where
      that is the component's purpose.

    Args:
        component: An instance (an activation: the function).
        inputs: NumPy arrays to run it with; None for usual ones. Of a layer its input, or a tuple
            of the arguments of `call`; of a loss or metric `(y_true, y_pred)`; of a regularizer or
            constraint a weight; of an initializer a shape, in a tuple.
        expected_failures: Names of checks that may fail, each with the reason, a dict.
        on_fail: `"raise"` an error that lists all failures, `"warn"`, or None for neither.

    Returns:
        A list of `CheckResult`, one for every check.

    Raises:
        ComponentError: Checks failed and `on_fail` is `"raise"`; it is an AssertionError.
        TypeError: `component` is a class, or of no kind.
        ValueError: A check of `expected_failures` does not exist, or `on_fail` is no such word.

    Example:
        >>> results = kerasdl.testing.check_component(MyLoss(), on_fail=None)
        >>> print(*results, sep="\n")
    """
    refuse_within_worker()
    if on_fail not in ON_FAIL:
        raise ValueError(f'on_fail is "raise", "warn" or None; received {on_fail!r}.')
    kind = _require_instance(component)
    checks = checks_of(kind)
    expected = _require_names(expected_failures or {}, checks)
    name = getattr(component, "__name__", type(component).__name__)
    with Workers() as workers:
        try:
            subject = subject_of(component, workers, inputs)
        except FaultError as fault:
            results = [_failed(USUAL_INPUTS, str(fault), expected)]
        else:
            results = [run(check, subject, expected) for check in checks]
    _report(name, results, on_fail)
    return results


def subject_of(component, workers, inputs=None):
    """Returns what checks take, for an instance.

    Raises:
        TypeError: It is a class, or of no kind.
        FaultError: It takes none of the usual inputs.
    """
    kind = _require_instance(component)
    return Subject(component, kind, inputs_of(component, kind, inputs), workers)


def _require_instance(component):
    """Returns the kind of an instance."""
    if inspect.isclass(component):
        raise TypeError(
            f"check_component takes an instance; received the class {component.__name__}. "
            f"Pass {component.__name__}(...)."
        )
    return kind_of(component if inspect.isfunction(component) else type(component))


def _require_names(expected, checks):
    names = [USUAL_INPUTS, *(check.__name__ for check in checks)]
    unknown = sorted(set(expected) - set(names))
    if unknown:
        raise ValueError(
            f"expected_failures names {', '.join(unknown)}; the checks are {', '.join(names)}."
        )
    return expected


def run(check, subject, expected=()):
    """Returns the `CheckResult` of one check."""
    name = check.__name__
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            note = check(subject)
    except NotApplicableError as reason:
        return CheckResult(name, "skipped", str(reason))
    except FaultError as fault:
        return _failed(name, str(fault), expected)
    except Exception as error:
        return _failed(name, f"{subject.name} raises {described(error)}", expected)
    return CheckResult(name, "passed", note or "")


def _failed(name, reason, expected):
    if name in expected:
        return CheckResult(name, "expected failure", f"{expected[name]} ({reason})")
    return CheckResult(name, "failed", reason)


def _report(name, results, on_fail):
    failed = [result for result in results if result.status == "failed"]
    if not failed or on_fail is None:
        return
    lines = [f"{name} fails {len(failed)} of {len(results)} checks:"]
    message = "\n".join([*lines, *(f"- {result.check}: {result.reason}" for result in failed)])
    if on_fail == "raise":
        raise ComponentError(message, results)
    warnings.warn(message, stacklevel=3)


def example_of(target):
    """Returns an instance of a registered class to examine, or the function itself.

    Raises:
        TypeError: The class cannot be built without arguments and defines no `example`.
    """
    if not inspect.isclass(target):
        return target
    own = getattr(target, "example", None)
    if own is not None:
        return own()
    try:
        return target()
    except TypeError as error:
        raise TypeError(
            f"{target.__name__}() cannot be built: {error}. Define a classmethod example that "
            "returns an instance to examine."
        ) from error


def registered(pattern="*"):
    """Returns the name and an example of every registered component, a list of pairs."""
    pairs = []
    for kind in BASES:
        for name in registry.names(kind, pattern):
            pairs.append((name, example_of(registry.lookup(kind, name))))
    return pairs
