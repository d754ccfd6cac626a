"""Processes that load what was saved, for components of scripts too."""

import os
import subprocess
import sys

import keras
import pytest

SCRIPT = """
import keras, kerasdl

@kerasdl.register
class Mean(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

results = kerasdl.testing.check_component(Mean(), on_fail=None)
print(*(result.status for result in results if "fresh_process" in result.check))
"""


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="the same on every backend")
def test_a_script_that_examines_its_own_component_is_read_no_further(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    path = os.pathsep.join([str(tmp_path), os.getcwd()])
    found = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert found.stdout.split() == ["passed"], found.stderr[-2000:]
