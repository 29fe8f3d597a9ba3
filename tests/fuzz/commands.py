"""Command lines of ``nanoconf``, executed in this process in a folder of their own."""

from __future__ import annotations

import io
import os
import traceback
from collections.abc import Mapping
from contextlib import ExitStack, chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import psutil

from nanoconf.cli.main import main
from tests.fuzz.cases import Hang, time_limit

LONGEST_LINE = 8000
"""Length of the longest error message, in which every character may be escaped."""


@dataclass(frozen=True)
class Command:
    """A command line that must be refused in one line, or do its work without starting a run.

    Attributes
    ----------
    arguments : list of str
        The arguments of ``nanoconf``.
    folder : Path
        Working folder, which holds the input files. The archive is ``home`` in this folder.
    variables : mapping of str to str
        Environment variables.
    statuses : tuple of int
        Allowed exit statuses.
    """

    arguments: list[str]
    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    statuses: tuple[int, ...] = (0, 2)

    def problems(self) -> list[str]:
        """Execute the command; return what it should not have done."""
        before, others = _files(self.folder), _children()
        output, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
        try:
            with self._surroundings(), redirect_stdout(output), redirect_stderr(errors):
                status = _status(self.arguments)
        except Hang:
            return ["it hangs"]
        except Exception:
            return [traceback.format_exc()]
        said, complaint = (_text(stream) for stream in (output, errors))
        found = _complaints(status, said, complaint)
        if status not in self.statuses:
            found.append(f"its exit status is {status}: {complaint[:1000]}")
        if status == 2 and _files(self.folder) != before:
            found.append(f"it left {_files(self.folder) - before}")
        return found + _started(self.folder, others)

    def _surroundings(self) -> ExitStack:
        """Return a context with the folder, the variables and the time limit of the command."""
        stack = ExitStack()
        private = {
            "NANOCONF_HOME": str(self.folder / "home"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
        }
        stack.enter_context(chdir(self.folder))
        stack.enter_context(patch.dict(os.environ, {**private, **self.variables}))
        stack.enter_context(time_limit())
        return stack


def _status(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    return stream.buffer.getvalue().decode("utf-8")


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def _complaints(status: int, said: str, complaint: str) -> list[str]:
    """Return what is wrong with the exit status and the messages."""
    found = []
    if "Traceback" in said + complaint:
        found.append(f"it prints a traceback: {complaint[-1000:]}")
    if status:
        lines = complaint.removesuffix("\n").split("\n")
        line = "\n".join(each for each in lines if not each.startswith("warning: "))
        if not (line.startswith("nanoconf") and line.isprintable() and len(line) < LONGEST_LINE):
            found.append(f"its message is not one short printable line: {complaint[:1000]!r}")
        if said:
            found.append(f"it prints results before it refuses: {said[:200]!r}")
    return found


def _children() -> set[psutil.Process]:
    """Return the processes that this one has started, such as a browser for other tests."""
    return set(psutil.Process().children(recursive=True))


def _started(folder: Path, others: set[psutil.Process]) -> list[str]:
    """Return what the command has started."""
    found = []
    if children := _children() - others:
        found.append(f"it started {children}")
    for name in ("keeper.lock", "runs/*"):
        if list((folder / "home").glob(name)):
            found.append(f"it left {name} in the archive")
    return found
