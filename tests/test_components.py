"""Every component of the shelves keeps to what it promises."""

import keras
import pytest

import kerasdl

# Fresh processes of all backends are compared with one another; once is enough.
_IN_FRESH_PROCESSES = "a_saved_model_is_loaded_in_a_fresh_process", "all_backends_agree"


@kerasdl.testing.parametrize_components("kerasdl>*")
def test_every_component_passes_every_check(name, check, request):
    if keras.backend.backend() != "tensorflow" and request.node.name[:-1].endswith(
        _IN_FRESH_PROCESSES
    ):
        pytest.skip("compared with all backends where the suite runs on TensorFlow")
    result = check()
    assert result.status != "failed", result.reason
