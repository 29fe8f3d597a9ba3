"""Arguments of verbs: their parsing, and their JSON Schema, from the table of inputs.

Values come from outside as JSON or as the text of a query. Each argument has its long name and, for
the inputs of the page, the short name that links use: ``h`` is ``confinement_length``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.inputs import Input, InvalidInput, check_text
from nanoconf.data.parsing import parsed, plain_number

TRUE, FALSE = ("true", "1", "yes"), ("false", "0", "no")

ERROR = "target_error"
"""Input that links give in percent, under its short name."""


@dataclass(frozen=True)
class Argument:
    """One argument of a verb.

    Attributes
    ----------
    name : str
        Name.
    schema : dict
        JSON Schema of the value, with its description.
    parse : callable
        Returns the value given as JSON or text; raises `InvalidInput`.
    key : str
        Short name, as in links to the page; may be empty.
    parse_key : callable, optional
        Replaces `parse` for a value given under the short name.
    required : bool
        True if there is no default.
    input : Input or None
        Entry of the table of inputs.
    """

    name: str
    schema: dict[str, Any]
    parse: Callable[[Any], Any]
    key: str = ""
    parse_key: Callable[[Any], Any] | None = None
    required: bool = False
    input: Input | None = None


def of_inputs(table: Mapping[str, Input]) -> tuple[Argument, ...]:
    """Return the arguments for a table of inputs."""
    return tuple(of_input(each) for each in table.values())


def flag(name: str, default: bool, text: str) -> Argument:
    """Return an argument that is true or false."""

    def parse(value: Any) -> bool:
        if isinstance(value, bool):
            return value
        word = value.lower() if isinstance(value, str) else ""
        if word not in (*TRUE, *FALSE):
            raise InvalidInput(name, value, "must be true or false")
        return word in TRUE

    return Argument(name, {"type": "boolean", "default": default, "description": text}, parse)


def line(name: str, longest: int, text: str) -> Argument:
    """Return an argument that is one line of text."""

    def parse(value: Any) -> str:
        allowed = f"must be one line of at most {longest} characters"
        if not isinstance(value, str) or len(value) > longest:
            raise InvalidInput(name, value, allowed)
        return check_text(name, value)

    return Argument(name, {"type": "string", "maxLength": longest, "description": text}, parse)


def run_id(text: str) -> Argument:
    """Return the argument ``id``, which every call must give."""

    def parse(value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch("[0-9a-f]{1,32}", value):
            raise InvalidInput("id", value, "is not a run ID (32 digits, 0-9 and a-f)")
        return value

    schema = {"type": "string", "pattern": "^[0-9a-f]{1,32}$", "description": text}
    return Argument("id", schema, parse, required=True)


# --- an input of the table ------------------------------------------------------------------


def of_input(each: Input) -> Argument:
    """Return the argument for an entry of a table of inputs."""

    def parse(value: Any) -> Any:
        if value is None or (value == "" and each.default is None):
            return each.default
        if isinstance(value, str):
            value = parsed(each.name, value if each.choices else plain_number(value), each)
        return each.check(value)

    key = each.link_key if each.link_key != each.name else ""
    percent = (lambda value: parse(_percent(value))) if each.name == ERROR else None
    return Argument(each.name, _schema(each), parse, key, percent, input=each)


def _percent(value: Any) -> Any:
    """Convert a percentage to a fraction; anything else is left to the parser."""
    if isinstance(value, str):
        return value if value.endswith("%") or not value else f"{value}%"
    return value / 100 if isinstance(value, int | float) and not isinstance(value, bool) else value


def _schema(each: Input) -> dict[str, Any]:
    kind = "string" if each.choices else "integer" if each.whole else "number"
    schema: dict[str, Any] = {"type": kind, "description": description(each)}
    if each.choices:
        schema["enum"] = list(each.choices)
    bounds = {"minimum": each.low, "maximum": each.high}
    schema |= {name: bound for name, bound in bounds.items() if math.isfinite(bound)}
    if each.default is not None:
        schema["default"] = each.default
    return schema


def description(each: Input) -> str:
    """Return the description of an input, with its unit, its default and its short name."""
    text = each.help[0].upper() + each.help[1:]
    if each.unit:
        text += f" ({each.unit})"
    if each.default is None:
        text += f"; default: {each.unset}"
    if each.link_key != each.name:
        text += f". Short name: {each.link_key}"
        text += ", in percent" if each.name == ERROR else ""
    return f"{text}."


# --- a call ---------------------------------------------------------------------------------


def parse(arguments: Sequence[Argument], given: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Parse the arguments of a call; those that are not given are left out.

    Parameters
    ----------
    arguments : sequence of Argument
        The arguments that the verb has.
    given : iterable of (str, object)
        Names, long or short, and values.

    Raises
    ------
    InvalidInput
        A name is unknown or given twice, a value is not allowed, or an argument is missing.
    """
    by_name = {each.name: (each, each.parse) for each in arguments}
    by_key = {each.key: (each, each.parse_key or each.parse) for each in arguments if each.key}
    known = by_key | by_name
    values: dict[str, Any] = {}
    for name, value in given:
        if name not in known:
            raise InvalidInput(name, value, f"is not an argument; known: {', '.join(by_name)}")
        argument, read = known[name]
        if argument.name in values:
            raise InvalidInput(argument.name, value, "is given more than once")
        values[argument.name] = read(value)
    for each in arguments:
        if each.required and each.name not in values:
            raise InvalidInput(each.name, "", "is missing")
    return values


def schema(arguments: Sequence[Argument]) -> dict[str, Any]:
    """Return the JSON Schema of an object with these arguments."""
    found: dict[str, Any] = {
        "type": "object",
        "properties": {each.name: each.schema for each in arguments},
    }
    required = [each.name for each in arguments if each.required]
    return found | ({"required": required} if required else {})
