"""The surveyor: who may import whom, and where printing, arguments and frameworks belong."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
FRAMEWORKS = {"tensorflow", "jax", "torch"}
SHELVES = {
    "layers",
    "losses",
    "initializers",
    "optimizers",
    "regularizers",
    "constraints",
    "activations",
    "schedules",
    "callbacks",
    "metrics",
}
INSTRUMENTS = {"lrp", "shapley", "activation_maximization"}


def imports(source):
    """Yields the dotted modules that a source imports, `from a import b` as `a` and `a.b`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(module, *packages):
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def framework_rooms(path):
    return {path.stem} & FRAMEWORKS if path.parent == pathlib.Path("kerasdl/backend") else set()


def refused(path, module):
    """Why a file of the house must not import a module, or None."""
    package, room = path.parts[0], path.parts[1] if len(path.parts) > 1 else ""
    top = module.partition(".")[0]
    if top in FRAMEWORKS - framework_rooms(path):
        return "frameworks live in kerasdl/backend, each in its own file"
    if top == "matplotlib" and path.name != "plot.py" and "report" not in path.parts:
        return "drawing lives in plot.py and report/"
    if top == "ray" and path.parts[:2] != ("xai", "dataset"):
        return "Ray lives in xai/dataset"
    if top == "shap" and path.parts[0] != "xai":
        return "shap lives where an Attribution becomes a shap.Explanation"
    if top == "keras_tuner" and package != "tuning":
        return "Keras Tuner lives in tuning"
    if top == "argparse" and path.name != "__main__.py" and package != "examples":
        return "arguments are parsed in __main__.py"
    if package == "kerasdl":
        return refused_in_kerasdl(room, module)
    if package == "xai":
        return refused_in_xai(room, module)
    if package == "tuning":
        return refused_in_tuning(path, module)
    return None


def refused_in_kerasdl(room, module):
    if within(module, "xai", "tuning"):
        return "kerasdl knows neither xai nor tuning"
    if room == "backend" and within(module, "kerasdl") and not within(module, "kerasdl.backend"):
        return "the backend knows nothing above it"
    allowed = ("kerasdl.registry", "kerasdl.backend", f"kerasdl.{room}")
    if room in SHELVES and within(module, "kerasdl") and not within(module, *allowed):
        return None if module == "kerasdl" else "a shelf knows only the registry and the backend"
    return None


def refused_in_xai(room, module):
    if within(module, "tuning"):
        return "xai knows nothing of tuning"
    if within(module, "kerasdl") and not within(module, "kerasdl.backend"):
        return "xai uses nothing of kerasdl but its backend"
    others = INSTRUMENTS - {room}
    if room in INSTRUMENTS and within(module, *(f"xai.{other}" for other in others)):
        return "the instruments do not know each other"
    return None


def refused_in_tuning(path, module):
    if within(module, "xai") and path.name != "explanations.py":
        return "only tuning/explanations.py knows xai"
    inner = within(module, *(f"kerasdl.{part}" for part in (*SHELVES, "backend", "keras_names")))
    return "tuning takes components from the registry" if inner else None


def prints(source):
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return any(isinstance(call.func, ast.Name) and call.func.id == "print" for call in calls)


def violations(path, source):
    """Returns what a source at a path of the house does against its rules."""
    found = [
        f"{path} imports {module}: {why}"
        for module in imports(source)
        if (why := refused(path, module))
    ]
    printing_allowed = path.name == "__main__.py" or path.parts[0] == "examples"
    if prints(source) and not printing_allowed:
        found.append(f"{path} prints")
    return found


def sources(*folders):
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT), path.read_text()


def test_every_file_keeps_to_the_import_table():
    found = [
        violation
        for path, source in sources("kerasdl", "xai", "tuning", "examples")
        for violation in violations(path, source)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("kerasdl/layers/gate.py", "import tensorflow as tf"),
        ("kerasdl/backend/jax.py", "import torch"),
        ("kerasdl/backend/jax.py", "from kerasdl import registry"),
        ("kerasdl/layers/gate.py", "from kerasdl.losses import LogCosh"),
        ("kerasdl/registry.py", "import xai"),
        ("kerasdl/registry.py", "import keras_tuner"),
        ("kerasdl/registry.py", "def f():\n    import matplotlib.pyplot"),
        ("xai/lrp/engine.py", "from xai.shapley import players"),
        ("xai/shapley/game.py", "import xai.lrp.engine"),
        ("xai/shapley/game.py", "from xai import lrp"),
        ("xai/model.py", "from kerasdl import registry"),
        ("xai/model.py", "import tuning"),
        ("xai/model.py", "import ray"),
        ("xai/model.py", "import argparse"),
        ("xai/model.py", "print('hello')"),
        ("tuning/search.py", "import xai"),
        ("tuning/search.py", "from kerasdl.backend import jit"),
        ("tuning/search.py", "import shap"),
    ],
)
def test_the_surveyor_finds_what_is_against_the_rules(path, source):
    assert violations(pathlib.Path(path), source)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("kerasdl/backend/jax.py", "import jax"),
        ("kerasdl/layers/gate.py", "from kerasdl.registry import register"),
        ("xai/plot.py", "from matplotlib.figure import Figure"),
        ("xai/lrp/engine.py", "from xai.model import open_model\nfrom kerasdl.backend import vjp"),
        ("tuning/explanations.py", "import xai"),
        ("examples/digits.py", "print('hello')\nimport kerasdl, argparse"),
    ],
)
def test_the_surveyor_lets_pass_what_is_right(path, source):
    assert not violations(pathlib.Path(path), source)


def test_examples_use_public_names_only():
    import kerasdl
    import tuning
    import xai

    houses = {"kerasdl": kerasdl, "xai": xai, "tuning": tuning}
    for path, source in sources("examples"):
        for module in imports(source):
            top, _, rest = module.partition(".")
            if top in houses and rest:
                raise AssertionError(f"{path} imports {module}; examples import {top} alone")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                house = houses.get(node.value.id)
                assert house is None or node.attr in house.__all__, f"{path}: {ast.unparse(node)}"


def test_the_top_level_holds_what_was_agreed():
    """Folders that git ignores may lie about."""
    agreed = {"pyproject.toml", "README.md", "kerasdl", "xai", "tuning", "tests", "examples"}
    ignored = {"build", "dist", "runs"}
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    found = {name for name in found if not name.endswith((".egg-info", "__pycache__"))}
    assert agreed <= found <= agreed | ignored


def test_files_have_at_most_three_hundred_lines():
    long = [
        str(path)
        for path, text in sources("kerasdl", "xai", "tuning", "examples")
        if len(text.splitlines()) > 300
    ]
    assert not long, "past 300 lines a file is two rooms: " + ", ".join(long)
