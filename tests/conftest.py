"""Fixtures that several rooms share."""

import pathlib
import subprocess
import sys
import zipfile

import keras
import pytest

FIXTURES = pathlib.Path(__file__).parent / "fixtures"


@pytest.fixture(autouse=True)
def seeded():
    """Makes initial weights and shuffles the same in every run."""
    keras.utils.set_random_seed(0)


@pytest.fixture
def fresh_process():
    """Returns a function that runs Python code in a new process and returns what it printed."""

    def run(code, *path):
        search = [str(FIXTURES.parent.parent), *map(str, path)]
        preamble = f"import sys; sys.path[:0] = {search}\n"
        done = subprocess.run(
            [sys.executable, "-c", preamble + code], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run


@pytest.fixture(scope="session")
def install(tmp_path_factory):
    """Returns a function that installs a package with an entry point and returns its folder."""

    def install(distribution, files, entry_points):
        folder = tmp_path_factory.mktemp(distribution)
        wheel = folder / f"{distribution}-1.0-py3-none-any.whl"
        info = f"{distribution}-1.0.dist-info"
        files = {
            **files,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/entry_points.txt": f"[kerasdl.plugins]\n{entry_points}\n",
        }
        files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in files)
        with zipfile.ZipFile(wheel, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        target = folder / "installed"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
        subprocess.run([*pip, "--target", str(target), str(wheel)], check=True)
        return target

    return install


@pytest.fixture(scope="session")
def acme(install):
    """Returns the folder into which the plugin package `acme_keras` is installed."""
    source = (FIXTURES / "plugin/acme_keras/__init__.py").read_text()
    return install("acme_keras", {"acme_keras/__init__.py": source}, "acme = acme_keras")
