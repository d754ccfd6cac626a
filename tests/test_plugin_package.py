"""The plugin package that README shows, built and installed as it stands there, works."""

import os
import pathlib
import re
import subprocess
import sys
import sysconfig

import pytest

ROOT = pathlib.Path(__file__).parent.parent

FIRST_USE = """
import sys, keras, kerasdl
assert kerasdl.names(pattern="acme>*") == ["acme>Cauchy"]
assert kerasdl.get("loss", "cauchy").name == "cauchy"
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile("sgd", "acme>Cauchy")
model.train_on_batch(keras.ops.ones((3, 2)), keras.ops.ones((3, 1)))
model.save(sys.argv[1])
"""

LOADING = """
import sys, kerasdl
assert "acme_keras" not in sys.modules
model = kerasdl.load_model(sys.argv[1])
assert type(model.loss).__module__ == "acme_keras", model.loss
"""


def blocks():
    """Returns the files of README's section, by name, and its commands."""
    readme = (ROOT / "README.md").read_text()
    section = readme.partition("## Write a plugin\n")[2].partition("\n## ")[0]
    files = dict(re.findall(r"`([\w./]+)`:\n\n```(?:toml|python)\n(.*?)```", section, re.DOTALL))
    (commands,) = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return files, commands.strip().split(" && ")


@pytest.fixture
def package(tmp_path):
    """Returns a folder that holds the files, and nothing else."""
    folder = tmp_path / "package"
    for name, text in blocks()[0].items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def python(tmp_path):
    """Returns a function that runs the Python of a new environment, which sees this one's packages.

    `--system-site-packages` would show those of the Python below this environment; a path file
    shows these, and this repository ahead of an installed copy.
    """
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (own,) = environment.glob("**/site-packages")
    paths = {name: sysconfig.get_path(name) for name in ("purelib", "platlib")}
    (own / "parent.pth").write_text("\n".join(dict.fromkeys([str(ROOT), *paths.values()])))
    executable = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*arguments, folder=tmp_path):
        command = [executable, *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        done = subprocess.run(command, cwd=folder, env=variables, timeout=300, **pipes)
        assert done.returncode == 0, done.stdout[-3000:]
        return done.stdout

    return run


def test_readme_names_three_files_and_three_commands():
    files, commands = blocks()
    assert list(files) == ["pyproject.toml", "acme_keras.py", "tests/test_components.py"]
    assert commands == [
        "pip install .",
        "python -m pytest",
        "python -m kerasdl check acme_keras:Cauchy",
    ]


def test_the_plugin_of_readme_works_from_its_installation_on(package, python, tmp_path):
    python("-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index", package)
    python("-c", FIRST_USE, tmp_path / "model.keras")
    python("-c", LOADING, tmp_path / "model.keras")
    assert "0 of 14 checks failed" in python("-m", "kerasdl", "check", "acme_keras:Cauchy")


def test_the_tests_of_readme_run_every_check_of_the_plugin(package, python):
    """The quick ones are run; `python -m kerasdl check` runs all."""
    python("-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index", package)
    pytest = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "registered or configuration")
    assert "4 passed, 10 deselected" in python(*pytest, folder=package)
