"""What people type, at the command line or in a table: text in, inputs out."""

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
    """The number that was typed for an input; a word for what takes words.

    Raises
    ------
    InvalidInput
        It is not a number.
    """
    known = SYSTEM.get(name) or SETTINGS.get(name)
    if known and known.choices:
        return text
    if name == "target_error" and text.endswith("%"):
        return parsed(name, text.removesuffix("%")) / 100
    if "_" not in text:  # which Python takes for part of a number
        for kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                continue
    allowed = f"{known.range}, as a number" if known else "must be a number"
    raise InvalidInput(name, text, allowed)


def whole_number(name: str, text: str, low: int, high: int) -> int:
    """The whole number that was typed, between two others."""
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise InvalidInput(name, text, f"must be a whole number between {low} and {high}")
    return value


def system_of(texts: Mapping[str, Any]) -> SlitSystem:
    """The system of inputs as they were typed; what is missing or empty has its default."""
    return SlitSystem(**{name: parsed(name, texts[name]) for name in SYSTEM if texts.get(name)})


def settings_of(assignments: Sequence[str]) -> dict[str, Any]:
    """Settings typed as NAME=VALUE."""
    chosen = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or name not in SETTINGS:
            raise InvalidInput(
                "set", assignment, f"must be NAME=VALUE, NAME one of {', '.join(SETTINGS)}"
            )
        chosen[name] = parsed(name, text)
    return chosen


def table(file: Path, parameter: str, columns: Collection[str]) -> list[dict[str, str]]:
    """The rows of a CSV file.

    Parameters
    ----------
    file : Path
        The file: a header and at least one row.
    parameter : str
        What the file was given for, to be named in a refusal.
    columns : collection of str
        The columns it may have.
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
                problem = "more cells than its header" if name == "None" else f"a column {name!r}"
                allowed = f"has {problem}; its columns may be {', '.join(columns)}"
                raise InvalidInput(parameter, str(file), allowed)
    return rows


def in_row(error: InvalidInput, file: Path, row: int) -> InvalidInput:
    """The same refusal, with the row of a table (counted from 1) where it arose."""
    return InvalidInput(f"{file}, row {row}: {error.parameter}", error.value, error.allowed)
