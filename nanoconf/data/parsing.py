"""Parsing of inputs from the command line and from tables."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Mapping, Sequence
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, NoReturn

from backend.inputs import SYSTEM, Input, InvalidInput, shown
from backend.settings import SETTINGS
from backend.system import SlitSystem
from backend.untrusted import read_bytes

MAXIMUM_ROWS = 100_000
MAXIMUM_BYTES = 16_000_000
"""Size of the largest CSV file that is read."""

MAXIMUM_DIGITS = 40
"""Longer numbers are read as floats, because Python cannot compute with integers of any length."""


def plain_number(text: str) -> str:
    """Return a typed number with a decimal point for a comma, and a hyphen for a minus sign."""
    text = text.strip().replace("−", "-")
    return text.replace(",", ".") if text.count(",") == 1 and "." not in text else text


def parsed(name: str, text: str, known: Input | None = None) -> Any:
    """Parse the text of an input: a number, or a word if the input has choices.

    Parameters
    ----------
    name, text : str
        Name and text.
    known : Input, optional
        Entry of an input that is in none of the two tables.

    Raises
    ------
    InvalidInput
        If a number is expected and the text is not one.
    """
    known = known or SYSTEM.get(name) or SETTINGS.get(name)
    if known and known.choices:
        return text
    if name == "target_error" and text.endswith("%"):
        return parsed(name, text.removesuffix("%")) / 100
    value = _number(text)
    if value is None:
        allowed = f"is not a number; it {known.range}" if known else "must be a number"
        raise InvalidInput(name, text, allowed)
    if not math.isfinite(value):
        raise InvalidInput(name, text, str(known.range) if known else "must be a finite number")
    return value


def _number(text: str) -> float | int | None:
    """Return the number that a text is; None if it is not one."""
    if "_" in text or not text.isascii():  # Python accepts underscores and digits of all scripts
        return None
    for kind in (int, float) if len(text) <= MAXIMUM_DIGITS else (float,):
        try:
            return kind(text)
        except ValueError:
            continue
    return None


def whole_number(name: str, text: str, low: int, high: int) -> int:
    """Parse a whole number between two bounds.

    Raises
    ------
    InvalidInput
        If the text is not such a number.
    """
    usual = text.isascii() and "_" not in text and len(text) <= MAXIMUM_DIGITS
    try:
        value = int(text) if usual else low - 1
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

    Returns
    -------
    list of dict
        The cells of each row by column; empty for cells that are missing at the end of a row.

    Raises
    ------
    InvalidInput
        If the file cannot be read, has no rows or too many, or has an unknown or repeated column.
    """

    def refuse(allowed: str) -> NoReturn:
        raise InvalidInput(parameter, str(file), allowed)

    try:
        header, *rows = _cells(file)
    except (OSError, ValueError, csv.Error) as error:
        refuse(f"cannot be read ({getattr(error, 'strerror', None) or error})")
    if not 1 <= len(rows) <= MAXIMUM_ROWS:
        refuse(f"must have a header and 1 to {MAXIMUM_ROWS} rows")
    names = [name.strip() for name in header]
    allowed_columns = f"allowed columns: {', '.join(columns)}"
    for name in names:
        if name not in columns:
            refuse(f"has a column {shown(name, quoted=True)}; {allowed_columns}")
        if names.count(name) > 1:
            refuse(f"has the column {name!r} more than once")
    if any(len(row) > len(names) for row in rows):
        refuse(f"has a row with more cells than the header; {allowed_columns}")
    return [dict(zip_longest(names, row, fillvalue="")) for row in rows]


def _cells(file: Path) -> list[list[str]]:
    """Read the header of a CSV file, and its rows that are not blank up to one more than allowed.

    Raises
    ------
    OSError, ValueError, csv.Error
        If the file is not a regular file, is too large, or is not a CSV file in UTF-8.
    """
    text = read_bytes(file, MAXIMUM_BYTES).decode("utf-8-sig")
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
    header = next(reader, [])
    return [header, *islice(filter(None, reader), MAXIMUM_ROWS + 1)]


def in_row(error: InvalidInput, file: Path, row: int) -> InvalidInput:
    """Add the file and the row (counted from 1) to an error message."""
    return InvalidInput(f"{file}, row {row}: {error.parameter}", error.value, error.allowed)
