"""Parsing of inputs from the command line and from tables."""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from backend.inputs import SYSTEM, InvalidInput
from backend.settings import SETTINGS
from backend.system import SlitSystem

MAXIMUM_ROWS = 100_000


def parsed(name: str, text: str) -> Any:
    """Parse the text of an input: a number, or a word if the input has choices.

    Raises
    ------
    InvalidInput
        If a number is expected and the text is not one.
    """
    known = SYSTEM.get(name) or SETTINGS.get(name)
    if known and known.choices:
        return text
    if name == "target_error" and text.endswith("%"):
        return parsed(name, text.removesuffix("%")) / 100
    if "_" not in text:  # Python accepts underscores in numbers
        for kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                continue
    allowed = f"is not a number; it {known.range}" if known else "must be a number"
    raise InvalidInput(name, text, allowed)


def whole_number(name: str, text: str, low: int, high: int) -> int:
    """Parse a whole number between two bounds.

    Raises
    ------
    InvalidInput
        If the text is not such a number.
    """
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise InvalidInput(name, text, f"must be a whole number between {low} and {high}")
    return value


def system_of(texts: Mapping[str, Any]) -> SlitSystem:
    """Parse the inputs of a system; missing and empty inputs take their defaults."""
    return SlitSystem(**{name: parsed(name, texts[name]) for name in SYSTEM if texts.get(name)})


def settings_of(assignments: Sequence[str]) -> dict[str, Any]:
    """Parse settings given as NAME=VALUE."""
    chosen = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or name not in SETTINGS:
            raise InvalidInput(
                "set", assignment, f"must be NAME=VALUE, where NAME is one of {', '.join(SETTINGS)}"
            )
        chosen[name] = parsed(name, text)
    return chosen


def table(file: Path, parameter: str, columns: Collection[str]) -> list[dict[str, str]]:
    """Read the rows of a CSV file.

    Parameters
    ----------
    file : Path
        File with a header and at least one row.
    parameter : str
        Name of the parameter that gave the file, for error messages.
    columns : collection of str
        Allowed columns.

    Raises
    ------
    InvalidInput
        If the file cannot be read, or has no rows, too many rows or an unknown column.
    """
    try:
        with open(file, encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, skipinitialspace=True, restval="")
            rows = [{str(name).strip(): text for name, text in row.items()} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(parameter, str(file), f"cannot be read ({error})") from error
    if not 1 <= len(rows) <= MAXIMUM_ROWS:
        allowed = f"must have a header and 1 to {MAXIMUM_ROWS} rows"
        raise InvalidInput(parameter, str(file), allowed)
    for row in rows:
        for name in row:
            if name not in columns:
                problem = (
                    "a row with more cells than the header"
                    if name == "None"
                    else f"a column {name!r}"
                )
                allowed = f"has {problem}; allowed columns: {', '.join(columns)}"
                raise InvalidInput(parameter, str(file), allowed)
    return rows


def in_row(error: InvalidInput, file: Path, row: int) -> InvalidInput:
    """Add the file and the row (counted from 1) to an error message."""
    return InvalidInput(f"{file}, row {row}: {error.parameter}", error.value, error.allowed)
