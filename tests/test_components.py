"""Every component of the shelves keeps to what it promises."""

import kerasdl


@kerasdl.testing.parametrize_components("kerasdl>*")
def test_every_component_passes_every_check(name, check):
    result = check()
    assert result.status != "failed", result.reason
