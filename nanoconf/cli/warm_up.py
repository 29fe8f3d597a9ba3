"""``nanoconf warm-up``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

NAME, HELP = "warm-up", "compile the simulation engine before the first run"

DESCRIPTION = """\
Compile the simulation engine; otherwise, compilation delays the first run by about half a minute.
If the installation folder is writable, all its users share the compiled engine."""

EXAMPLES = """\
examples:
  nanoconf warm-up         after installing for yourself
  sudo nanoconf warm-up    after installing for everyone"""


def add_options(parser: ArgumentParser) -> None:
    """Declare no options."""


def execute(options: Namespace) -> int:
    """Compile the engine, and print which users can use it."""
    from backend.engines.numba.warm_up import warm_up

    print("Compiling the simulation engine …", flush=True)
    folder, shared = warm_up()
    print(f"compiled for {'all users' if shared else 'this user'} in {folder}")
    return 0
