"""python -m kerasdl list | describe | check."""

import argparse
import importlib
import os
import shutil
import sys
import textwrap

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from kerasdl import registry
from kerasdl.kinds import BASES
from kerasdl.testing import check_component
from kerasdl.testing.checking import example_of

_FAILED, _BAD_INPUT = 1, 2


def main(arguments=None):
    """Runs a command; returns the exit status."""
    given = _parser().parse_args(arguments)
    try:
        return given.run(given)
    except BrokenPipeError:  # what reads the output has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, TypeError, ImportError, AttributeError) as error:
        print(f"python -m kerasdl: {' '.join(str(error).split())}", file=sys.stderr)
        return _BAD_INPUT


def _parser():
    parser = argparse.ArgumentParser("python -m kerasdl", description="Keras components by name.")
    commands = parser.add_subparsers(title="commands", required=True)
    _add(
        commands,
        "list",
        _list,
        "components by kind, each with what it is",
        'python -m kerasdl list --kind optimizer --pattern "*free*"',
        {
            "--kind": {"choices": list(BASES), "help": "only this kind"},
            "--pattern": {"default": "*", "help": "only these names, a shell pattern"},
        },
    )
    _add(
        commands,
        "describe",
        _describe,
        "a component's signature, formula, arguments and source",
        "python -m kerasdl describe LogCosh",
        {"name": {"help": "such as LogCosh, log_cosh or kerasdl>LogCosh"}},
    )
    _add(
        commands,
        "check",
        _check,
        "examine whether a component keeps to what Keras and its users rely on",
        "python -m kerasdl check my_package.losses:MyLoss",
        {"component": {"help": "package.module:Class, or the name of a registered component"}},
    )
    return parser


def _add(commands, name, run, purpose, example, arguments):
    parser = commands.add_parser(
        name,
        help=purpose,
        description=f"Prints {purpose}." if run is not _check else f"{purpose.capitalize()}.",
        epilog=f"Example: {example}",
    )
    for argument, settings in arguments.items():
        parser.add_argument(argument, **settings)
    parser.set_defaults(run=run)


def _list(given):
    kinds = [given.kind] if given.kind else list(BASES)
    found = {kind: registry.names(kind, given.pattern) for kind in kinds}
    if not any(found.values()):
        raise ValueError(f"No component is called {given.pattern!r}; leave out --pattern for all.")
    width = max(len(name) for names in found.values() for name in names)
    columns = shutil.get_terminal_size().columns
    for kind, names in found.items():
        if names:
            print(f"{kind}:")
        for name in names:
            print(_line(name, registry.lookup(kind, name), width, columns))
    return 0


def _line(name, target, width, columns):
    purpose = (target.__doc__ or "").strip().partition("\n")[0]
    room = max(columns - width - 4, 20)
    return f"  {name:{width}}  {textwrap.shorten(purpose, room, placeholder=' ...')}"


def _describe(given):
    kinds = _kinds_of(given.name)
    print("\n\n".join(registry.describe(kind, given.name) for kind in kinds))
    return 0


def _kinds_of(name):
    """Returns the kinds that have a component of a name.

    Raises:
        ValueError: None has.
    """
    kinds, refusal = [], None
    for kind in BASES:
        try:
            registry.lookup(kind, name)
        except registry.UnknownComponentError as error:
            refusal = refusal or error
        else:
            kinds.append(kind)
    if not kinds:
        text = str(refusal).replace(f"No {next(iter(BASES))} is", "No component is")
        raise ValueError(text.partition(" kerasdl.names")[0] + " python -m kerasdl list shows all.")
    return kinds


def _check(given):
    component = example_of(_target(given.component))
    results = check_component(component, on_fail=None)
    for result in results:
        print(_wrapped(result))
    count = sum(result.status == "failed" for result in results)
    print(f"\n{given.component}: {count} of {len(results)} checks failed.")
    return _FAILED if count else 0


def _target(path):
    """Returns the class or function at `package.module:Name`, or of a registered name."""
    if ":" not in path:
        return registry.lookup(_kinds_of(path)[0], path)
    sys.path.insert(0, os.getcwd())
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _wrapped(result):
    head = f"{result.status:16} {result.check.replace('_', ' ')}"
    indent = " " * 17
    columns = shutil.get_terminal_size().columns
    reason = textwrap.fill(result.reason, columns, initial_indent=indent, subsequent_indent=indent)
    return f"{head}\n{reason}" if result.reason else head


if __name__ == "__main__":
    sys.exit(main())
