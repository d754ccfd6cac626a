"""No check finds fault with what is sound."""

import functools

import pytest

from kerasdl import registry
from kerasdl.kinds import BASES
from kerasdl.testing.checking import example_of, run, subject_of
from kerasdl.testing.checks import checks_of, saving
from kerasdl.testing.pytest_parameters import _workers
from tests.kerasdl.testing import sound

SAVED = ("AroundTwice", "LabelMargin", "Delayed", "UnitColumns")


def _cases():
    for kind in BASES:
        for name in registry.names(kind, "sound>*"):
            name = name.partition(">")[2]
            for check in checks_of(kind):
                if check not in saving.CHECKS:
                    yield _case(name, check)


def _case(name, check):
    return pytest.param(name, check, id=f"{name}-{check.__name__}")


@functools.lru_cache(maxsize=1)
def _subject(name):
    return subject_of(example_of(getattr(sound, name)), _workers())


@pytest.mark.parametrize(("name", "check"), list(_cases()))
def test_what_is_sound_passes(name, check):
    result = run(check, _subject(name))
    assert result.status != "failed", result.reason


def test_what_is_sound_is_loaded_elsewhere():
    # One test for all of them: what takes time is to start a process for each framework.
    results = {(name, run(check, _subject(name))) for name in SAVED for check in saving.CHECKS}
    assert [pair for pair in results if pair[1].status == "failed"] == []
