"""What a check found."""

import dataclasses
import re


class FaultError(AssertionError):
    """What a check found wrong: the message says what it is and how to mend it."""


class NotApplicableError(Exception):
    """Why a check has nothing to say of a component."""


class ComponentError(AssertionError):
    """A component failed checks; `results` holds the records of all of them."""

    def __init__(self, message, results):
        super().__init__(message)
        self.results = results


@dataclasses.dataclass(frozen=True)
class CheckResult:
    """What one check found.

    Attributes:
        check: The check's name, which says what is true of a component that passes.
        status: `"passed"`, `"failed"`, `"skipped"` or `"expected failure"`.
        reason: What is wrong and how to mend it, why the check was skipped, or why it was expected
            to fail; empty where it passed.
    """

    check: str
    status: str
    reason: str = ""

    def __str__(self):
        return f"{self.status:16} {self.check}" + (f": {self.reason}" if self.reason else "")


def described(error, length=300):
    """Returns the type and the beginning of an exception's message, in one line."""
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())
    end = "..." if len(text) > length else "."
    return f"{type(error).__name__}: {text[:length].rstrip('.')}{end}"
