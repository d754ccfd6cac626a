"""What is installed is light to import and works away from the repository."""

import json
import subprocess
import sys

import keras
import pytest

LOADED = """
import json, sys
import keras
before = set(sys.modules)
import {package}
print(json.dumps(sorted({{name.partition(".")[0] for name in set(sys.modules) - before}}
    | {{name for name in set(sys.modules) - before if name == "matplotlib.pyplot"}})))
"""


@pytest.mark.parametrize("package", ["kerasdl", "xai", "tuning"])
def test_imports_load_nothing_heavy_that_keras_does_not(fresh_process, package):
    loaded = set(json.loads(fresh_process(LOADED.format(package=package)).splitlines()[-1]))
    assert package in loaded
    heavy = {"shap", "keras_tuner", "optuna", "matplotlib.pyplot", "sklearn", "pandas"}
    other_backends = {"tensorflow", "jax", "torch"} - {keras.backend.backend()}
    assert not loaded & (heavy | other_backends)


def test_the_installed_packages_work_away_from_the_repository(tmp_path):
    """Isolated, from another folder: only what `pip install` put there is found."""
    code = "import kerasdl, tuning, xai; print(len(kerasdl.names()), xai.LRP, tuning.search)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, f"Install the project first, as README says. {done.stderr[-500:]}"
    assert int(done.stdout.split()[0]) >= 7
