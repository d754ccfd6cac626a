"""What a component must keep to, examined: for authors of plugins, and for the shelves here."""

from kerasdl.testing.checking import check_component
from kerasdl.testing.pytest_parameters import parametrize_components
from kerasdl.testing.results import CheckResult, ComponentError

__all__ = ["CheckResult", "ComponentError", "check_component", "parametrize_components"]
