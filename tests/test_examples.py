"""The examples run from raw data to result."""

import os
import pathlib
import subprocess
import sys

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"


def test_digits_runs_through_every_room(tmp_path):
    done = subprocess.run(
        [sys.executable, EXAMPLES / "digits.py", "--quick", "--out", tmp_path],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent)},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for line in ("accuracy on 450 test images", "LRP: largest residual", "class probability:"):
        assert line in done.stdout
    assert str(tmp_path.resolve()) in done.stdout.splitlines()[-1]
    for name in ("best.keras", "lrp.npz", "shapley.npz"):
        assert (tmp_path / name).stat().st_size > 1000
    for name in ("heatmaps.png", "digits.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_swap_components_trains_a_stock_network_with_other_parts(tmp_path):
    done = subprocess.run(
        [sys.executable, EXAMPLES / "swap_components.py", "--steps", "3"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent)},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for line in (
        "normalization: 9 x BatchNormalization -> kerasdl>InstanceNormalization",
        "optimizer: adam -> kerasdl>Prodigy",
        "loss: squared_hinge -> kerasdl>LogisticLoss",
        "swapped: accuracy",
    ):
        assert line in done.stdout
