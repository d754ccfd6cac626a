"""Every component of the shelves keeps to what it promises."""

import keras
import pytest

import kerasdl

# Files are saved and loaded by fresh processes once, and compared with all backends where the suite
# runs last, so that all are installed.
_ONCE = {
    "a_saved_model_is_loaded_in_a_fresh_process": ("tensorflow",),
    "all_backends_agree": ("tensorflow", "torch"),
}


@kerasdl.testing.parametrize_components("kerasdl>*")
def test_every_component_passes_every_check(name, check, request):
    words = request.node.callspec.id.removeprefix(f"{name}-")
    if keras.backend.backend() not in _ONCE.get(words, (keras.backend.backend(),)):
        pytest.skip("done where the suite runs on another backend")
    result = check()
    assert result.status != "failed", result.reason
