"""The checks of all registered components as parameters of a pytest test."""

import atexit
import functools

from kerasdl import registry
from kerasdl.kinds import BASES
from kerasdl.testing.checking import example_of, run, subject_of
from kerasdl.testing.checks import checks_of
from kerasdl.testing.results import CheckResult
from kerasdl.testing.worker import Workers


def parametrize_components(pattern="*"):
    """Returns a pytest decorator: the test gets a component's name and one of its checks.

    The check is a function without arguments that returns a `CheckResult`. Components are made by
    their classmethod `example` where they have one, and without arguments otherwise.

    Args:
        pattern: Of the canonical names, such as `"acme>*"`.

    Example:
        >>> @kerasdl.testing.parametrize_components("acme>*")
        ... def test_components_keep_their_promises(name, check):
        ...     result = check()
        ...     assert result.status != "failed", result.reason
    """
    import pytest

    pairs = [
        pytest.param(
            name, functools.partial(_result, kind, name, check), id=f"{name}-{check.__name__}"
        )
        for kind in BASES
        for name in registry.names(kind, pattern)
        for check in checks_of(kind)
    ]
    return pytest.mark.parametrize(("name", "check"), pairs)


def _result(kind, name, check) -> CheckResult:
    return run(check, _subject(kind, name))


@functools.lru_cache(maxsize=1)
def _subject(kind, name):
    return subject_of(example_of(registry.lookup(kind, name)), _workers())


@functools.cache
def _workers():
    """Returns processes that all tests share: starting one takes longer than what it does."""
    workers = Workers()
    atexit.register(workers.__exit__)
    return workers
