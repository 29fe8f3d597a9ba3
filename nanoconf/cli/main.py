"""The command line: ``nanoconf …``.

Each command has a module in this package that defines its name, its help texts, ``add_options``
and ``execute``. These modules import nothing heavy until ``execute`` runs, so that ``--help``
returns at once.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from io import TextIOWrapper
from typing import Any, Protocol, cast

from backend import __version__
from backend.environment import check_environment
from backend.files import FULL
from backend.inputs import LONGEST_MESSAGE, escaped, shortened, shown
from nanoconf.cli.parser import (
    BAD_INPUT,
    Parser,
    add_command,
    add_commands,
    attach_negative_numbers,
)

DONE, FAILED = 0, 1

IMPOSSIBLE_PATH = (errno.ENAMETOOLONG, errno.ELOOP)
"""Errors of paths that cannot exist."""

VERBS = (
    "app",
    "simulate",
    "predict",
    "runs",
    "sweep",
    "train",
    "evaluate",
    "models",
    "export_page",
    "uncertainty",
    "cluster",
    "compare",
    "select_inputs",
    "paper",
    "mcp",
    "warm_up",
)
"""Modules of this package, one for each command, in the order of ``nanoconf --help``."""

DESCRIPTION = """\
Density profiles of ions between two walls, from molecular dynamics or from a neural network.

Units: lengths in nm, concentrations in mol/L (M), valencies in elementary charges, times in ns."""

EXAMPLES = """\
examples:
  nanoconf app                              open the page in a browser
  nanoconf simulate -c 0.6 -o result        simulate a system; write its profiles to result/
  nanoconf predict -c 0.6 -o result         add the network's profiles
  nanoconf runs                             list the simulations

Type `nanoconf COMMAND --help` for help on a command.
Exit status: 0 success, 1 failure, 2 invalid input."""


class Verb(Protocol):
    """A module of `VERBS`."""

    NAME: str
    HELP: str
    DESCRIPTION: str
    EXAMPLES: str

    def add_options(self, parser: ArgumentParser) -> None:
        """Declare the options of the command."""

    def execute(self, options: Namespace) -> int:
        """Execute the command; return the exit status."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Execute a command line; return the exit status."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    options = Namespace(command_line=["nanoconf", *typed])
    _accept_all_characters()
    try:
        parser().parse_args(attach_negative_numbers(typed), options)
        check_environment()
        with _warnings_as_lines():
            status = options.execute(options)
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("nanoconf: cancelled", file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        _discard_output()  # the reader has closed the pipe, which is not an error
        return DONE
    except Exception as error:
        explanation = _explain(error, options)
        if explanation is None:
            raise
        line, status = explanation
        print(f"nanoconf: {escaped(line)}", file=sys.stderr)
        if isinstance(error, OSError) and error.filename is None:
            _discard_output()  # it may be standard output that cannot be written
        return status


def _accept_all_characters() -> None:
    """Print characters that the terminal's encoding lacks as escapes instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _discard_output() -> None:
    """Discard what is still to be printed; Python would report it when it exits."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def parser() -> Parser:
    """Return the parser of all commands."""
    main_parser = Parser(prog="nanoconf", description=DESCRIPTION, epilog=EXAMPLES)
    main_parser.add_argument("--version", action="version", version=f"nanoconf {__version__}")
    commands = add_commands(main_parser, "verb")
    for name in VERBS:
        verb = cast(Verb, import_module(f"nanoconf.cli.{name}"))
        command = add_command(commands, verb.NAME, verb.HELP, verb.DESCRIPTION, verb.EXAMPLES)
        verb.add_options(command)
        command.set_defaults(execute=verb.execute)
    return main_parser


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Print each warning once, as one line, without the source line that issued it."""
    printed: set[str] = set()

    def show(message: Warning | str, *_others: Any, **_named: Any) -> None:
        line = f"warning: {escaped(str(message))}"
        if line not in printed:
            printed.add(line)
            print(line, file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield


def _explain(error: Exception, options: Namespace) -> tuple[str, int] | None:
    """Return one line and the exit status for an error that the user can act on, else None."""
    from backend.cluster.problems import ClusterProblem
    from backend.extras import MissingExtra
    from backend.runs.archive import UnknownRun, UnusableHome
    from backend.runs.run import DamagedRun
    from backend.sampling.result import Cancelled, SimulationError
    from backend.system import InvalidInput

    if isinstance(error, InvalidInput):
        typed = getattr(options, error.parameter, None)
        value = typed if isinstance(typed, str) and typed else error.value
        if value == "" and error.allowed.startswith("is missing"):
            return f"{error.parameter} {error.allowed}", BAD_INPUT
        line = f"{error.parameter} = {shown(value)}: {error.allowed}"
        return shortened(line, LONGEST_MESSAGE), BAD_INPUT
    if isinstance(error, (UnknownRun, UnusableHome)) or _is_missing_model(error):
        return str(error), BAD_INPUT
    if isinstance(error, (SimulationError, Cancelled, DamagedRun, ClusterProblem, MissingExtra)):
        return str(error), FAILED
    if isinstance(error, OSError):
        return _system_error(error), BAD_INPUT if error.errno in IMPOSSIBLE_PATH else FAILED
    return None


def _is_missing_model(error: Exception) -> bool:
    if not isinstance(error, FileNotFoundError):
        return False
    from nanoconf.surrogate.lifecycle.registry import ModelNotFound

    return isinstance(error, ModelNotFound)


def _system_error(error: OSError) -> str:
    """Return one line for an error of the operating system, and a remedy for a full disk."""
    if error.errno is None or not error.strerror:
        return str(error)
    place = "output" if error.filename is None else shown(str(error.filename))
    advice = ": free some space, or choose another folder" if error.errno in FULL else ""
    return f"{place}: {error.strerror}{advice}"


if __name__ == "__main__":
    sys.exit(main())
