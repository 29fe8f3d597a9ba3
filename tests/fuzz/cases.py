"""Malformed input for the program, made at random but reproducible from its kind and number.

A kind is a function that makes a case from a random generator and an empty folder. To add a kind,
write such a function with the decorator `kind` in a module of this folder, and import the module in
``test_fuzz.py``.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Protocol

SECONDS = 60.0
"""Time limit of a case (s): only a hang takes longer, even on a busy machine."""

TEXTS = (
    *("", " ", "\t", "nan", "-inf", "1e999", "-1e999", "9" * 400, "-" + "9" * 400, "9" * 5000),
    *("0x10", "1_0", "1,5", "1.2.3", "٣", "１", "abc", "None", "true", "[]", "{}", "%s%n", "{0}"),
    *("a\nb", "a\rb", "\x00", "\x1b[31mred", "\x7f", "\x85", "\u2028", "\u202eabc", "\udcff\udcfe"),
    *("'", '"', "`id`", "$(id)", ";", "--", "-", "=", "-=", "--=", "-é", "\N{TEST TUBE}", "\ufeff"),
    *("a" * 300, "a" * 100_000, "../" * 2000, "/dev/zero", "/dev/full", "/dev/null/x", "/proc/1"),
    *("~nobody-of-that-name/x", "~", ".", "a/b\\c", "C:\\x", "file:///dev/zero"),
)
"""Texts that no number can be, and that programs are known to stumble over. A folder with such a
name can be created only below the working folder."""


class Case(Protocol):
    """One malformed input."""

    def problems(self) -> list[str]:
        """Give the input to the program; return what it should not have done."""


Make = Callable[[Random, Path], Case]


@dataclass(frozen=True)
class Kind:
    """Kind of malformed input.

    Attributes
    ----------
    name : str
        Its name, which with the number of a case determines the case.
    share : float
        Its share of all cases, relative to the other kinds.
    make : callable
        Makes a case from a random generator and an empty folder.
    """

    name: str
    share: float
    make: Make

    def case(self, number: int, folder: Path) -> Case:
        """Make one of its cases."""
        return self.make(Random(f"{self.name} {number}"), folder)


KINDS: dict[str, Kind] = {}


def kind(name: str, share: float) -> Callable[[Make], Make]:
    """Register a function that makes cases of a new kind."""

    def register(make: Make) -> Make:
        KINDS[name] = Kind(name, share, make)
        return make

    return register


class Hang(BaseException):
    """Raised when a case reaches its time limit; no part of the program catches it."""


@contextmanager
def time_limit(seconds: float = SECONDS) -> Iterator[None]:
    """Raise `Hang` in the main thread after a time, even if it waits for a file."""

    def end(_signal: int, _frame: object) -> None:
        raise Hang

    # pytest's own time limit uses the same timer
    before = signal.signal(signal.SIGALRM, end)
    left, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, left)
        signal.signal(signal.SIGALRM, before)
