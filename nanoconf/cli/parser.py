"""The argument parser of ``nanoconf`` and of its commands."""

from __future__ import annotations

from argparse import Action, ArgumentParser, RawDescriptionHelpFormatter, _SubParsersAction
from collections.abc import Sequence
from typing import Any, NoReturn

from backend.inputs import InvalidInput, check_text, escaped, shortened

BAD_INPUT = 2
"""Exit status for invalid input."""

LONGEST_MESSAGE = 400
"""Maximum number of characters to print of an argparse error message."""


class Parser(ArgumentParser):
    """An argument parser that reports an error in one line."""

    def __init__(self, **options: Any):
        super().__init__(formatter_class=RawDescriptionHelpFormatter, **options)

    def error(self, message: str) -> NoReturn:
        """Print the error and exit."""
        line = escaped(shortened(message, LONGEST_MESSAGE))
        self.exit(BAD_INPUT, f"{self.prog}: {line} (see {self.prog} --help)\n")

    def _get_values(self, action: Action, arg_strings: list[str]) -> Any:
        """Refuse text that no option can mean, before it is converted or echoed.

        Raises
        ------
        InvalidInput
            If an argument is empty, unless that is the default, or not one line of valid Unicode.
        """
        if not isinstance(action, _SubParsersAction):
            for text in arg_strings:
                if not text and action.default != "":
                    raise InvalidInput(action.dest, text, "must not be empty")
                check_text(action.dest, text)
            if action.option_strings and arg_strings == ["--"]:  # argparse would return []
                raise InvalidInput(action.dest, "--", "is missing: -- only separates arguments")
        return super()._get_values(action, arg_strings)


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
