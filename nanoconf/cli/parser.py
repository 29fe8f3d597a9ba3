"""The argument parser of ``nanoconf`` and of its commands."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from typing import Any, NoReturn

BAD_INPUT = 2
"""Exit status for invalid input."""


class Parser(ArgumentParser):
    """An argument parser that reports an error in one line."""

    def __init__(self, **options: Any):
        super().__init__(formatter_class=RawDescriptionHelpFormatter, **options)

    def error(self, message: str) -> NoReturn:
        """Print the error and exit."""
        self.exit(BAD_INPUT, f"{self.prog}: {message} (see {self.prog} --help)\n")


def add_commands(parser: ArgumentParser, dest: str) -> Any:
    """Add subcommands to a parser; the name of the chosen one is stored in `dest`."""
    return parser.add_subparsers(
        title="commands", dest=dest, metavar="COMMAND", required=True, parser_class=Parser
    )


def add_command(
    commands: Any, name: str, summary: str, description: str = "", epilog: str = ""
) -> ArgumentParser:
    """Add one command.

    Parameters
    ----------
    commands
        Return value of `add_commands`.
    name : str
        The command's name.
    summary : str
        Its line in the list of commands.
    description, epilog : str
        Text before and after its options. The description defaults to the summary.
    """
    return commands.add_parser(
        name,
        help=summary,
        description=description or f"{summary[0].upper()}{summary[1:]}.",
        epilog=epilog,
        allow_abbrev=False,
    )


def attach_negative_numbers(arguments: Sequence[str]) -> list[str]:
    """Attach negative numbers to their option: argparse mistakes -1e-3 and -inf for options."""
    attached: list[str] = []
    for argument in arguments:
        previous = attached[-1] if attached else ""
        is_option = previous.startswith("-") and "=" not in previous and not _is_number(previous)
        if argument.startswith("-") and _is_number(argument) and is_option:
            attached[-1] += ("=" if previous.startswith("--") else "") + argument
        else:
            attached.append(argument)
    return attached


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
