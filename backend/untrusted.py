"""Reading of files and JSON that a damaged disk or another computer may have written.

Nothing here waits for a pipe, reads more than a limit, or passes on a value of another type. Every
problem is an `OSError` or `Damaged`, a `ValueError` with one line.
"""

from __future__ import annotations

import json
import math
import os
import stat
import types
import typing
from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Literal, NoReturn, Union

JSON_BYTES = 1_000_000
"""Maximum size of a JSON file (bytes)."""

LARGEST_INTEGER = 2**63 - 1


class Damaged(ValueError):
    """Raised for content that cannot be used; the message completes "<file> …"."""


# --- files ----------------------------------------------------------------------------------


def open_file(path: Path, limit: int = JSON_BYTES) -> BinaryIO:
    """Open a regular file of at most `limit` bytes for reading; never wait for a pipe or device.

    Raises
    ------
    Damaged
        It is not a regular file, or is larger.
    OSError
        It is missing, or cannot be opened.
    """
    stream = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 (the caller closes it)
    about = os.fstat(stream.fileno())
    if stat.S_ISREG(about.st_mode) and about.st_size <= limit:
        return stream
    stream.close()
    if not stat.S_ISREG(about.st_mode):
        raise Damaged("is not a regular file")
    raise Damaged(f"is larger than {limit} bytes")


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def read_bytes(path: Path, limit: int = JSON_BYTES) -> bytes:
    """Return the content of a regular file; raise as `open_file` does."""
    with open_file(path, limit) as stream:
        return stream.read(limit)


def read_text(path: Path, limit: int = JSON_BYTES) -> str:
    """Return the content of a regular UTF-8 file; raise as `open_file` does."""
    return as_text(read_bytes(path, limit))


def as_text(content: bytes) -> str:
    """Decode UTF-8."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise Damaged("is not UTF-8 text") from None


def in_words(error: OSError | ValueError) -> str:
    """Return what is wrong with a file, to follow its name."""
    if isinstance(error, FileNotFoundError):
        return "is missing"
    if isinstance(error, IsADirectoryError):
        return "is not a regular file"
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror or error})"
    return str(error) if isinstance(error, Damaged) else f"is damaged ({one_line(str(error))})"


def one_line(text: str) -> str:
    """Return text as one line, without characters that could control a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


# --- JSON -----------------------------------------------------------------------------------


def parse(content: bytes) -> Any:
    """Parse JSON strictly: UTF-8, with finite numbers only.

    Raises
    ------
    Damaged
        It is not such JSON.
    """
    if not content.strip():
        raise Damaged("is empty")
    text = as_text(content)
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except Damaged:
        raise
    except ValueError:
        raise Damaged("is not valid JSON") from None
    except RecursionError:
        raise Damaged("is nested too deeply") from None


def read_json(path: Path, limit: int = JSON_BYTES) -> Any:
    """Parse a JSON file strictly; raise as `open_file` and `parse` do."""
    return parse(read_bytes(path, limit))


def _refuse(word: str) -> NoReturn:
    raise Damaged(f"contains {word}, which is not a finite number")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _refuse(digits[:20])


# --- types ----------------------------------------------------------------------------------


def checked(kind: Any, value: Any, name: str = "") -> Any:
    """Return a JSON value if it is of a type; a JSON object of a dataclass becomes one.

    Parameters
    ----------
    kind : type
        A dataclass, ``dict[str, …]``, ``list[…]``, a union, a `Literal`, ``str``, ``int``,
        ``float``, ``bool``, ``None`` or ``Any``. Integers are numbers too; a dataclass must have
        all keys without a default, and no others.
    value : object
        Value from `parse`.
    name : str
        Name of the value in error messages.

    Raises
    ------
    Damaged
        It is of another type.
    """
    if kind is Any or (kind in _PLAIN and type(value) is kind and _is_plain(value)):
        return value
    origin = typing.get_origin(kind)
    if origin in (Union, types.UnionType):
        return _one_of(typing.get_args(kind), value, name)
    if origin is list:
        (each,) = typing.get_args(kind)
        items = _instance(list, value, name, "a list")
        return [checked(each, item, f"{name}[{i}]") for i, item in enumerate(items)]
    if origin is dict:
        _, each = typing.get_args(kind)
        members = _instance(dict, value, name, "an object")
        return {
            _text(key, name): checked(each, v, _member(name, key)) for key, v in members.items()
        }
    if is_dataclass(kind):
        return _record(kind, _instance(dict, value, name, "an object"), name)
    return _scalar(kind, value, name)


_PLAIN = (float, bool, str)


def _is_plain(value: Any) -> bool:
    """Return True for a value of which nothing but its type has to be checked."""
    return not isinstance(value, str) or value.isascii()


def _one_of(kinds: tuple[Any, ...], value: Any, name: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    problem: Damaged | None = None
    for kind in kinds:
        if kind is not type(None):
            try:
                return checked(kind, value, name)
            except Damaged as error:
                problem = error
    assert problem is not None
    raise problem


_hints = lru_cache(maxsize=None)(typing.get_type_hints)


def _record(kind: Any, values: dict[str, Any], name: str) -> Any:
    hints = _hints(kind)
    for key in values:
        if key not in hints:
            raise Damaged(f"has an unknown key {_member(name, key)!r}")
    for each in fields(kind):
        needed = each.default is MISSING and each.default_factory is MISSING
        if needed and each.name not in values:
            raise Damaged(f"lacks {_member(name, each.name)!r}")
    return kind(**{key: checked(hints[key], v, _member(name, key)) for key, v in values.items()})


def _scalar(kind: Any, value: Any, name: str) -> Any:
    if typing.get_origin(kind) is Literal:
        allowed = typing.get_args(kind)
        if isinstance(value, str) and value in allowed:
            return value
        words = ", ".join(map(str, allowed))
        raise Damaged(f"has {name or 'a value'} = {_shown(value)}: must be one of {words}")
    if kind is str:
        return _text(_instance(str, value, name, "text"), name)
    if kind is bool:
        return _instance(bool, value, name, "true or false")
    if kind is None or kind is type(None):
        return _instance(type(None), value, name, "null")
    if isinstance(value, bool) or not isinstance(value, int if kind is int else (int, float)):
        raise _wrong(value, name, "a whole number" if kind is int else "a number")
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        raise _wrong(value, name, "in the supported range")
    return value


def _instance(kind: type, value: Any, name: str, words: str) -> Any:
    if not isinstance(value, kind):
        raise _wrong(value, name, words)
    return value


def _wrong(value: Any, name: str, words: str) -> Damaged:
    where = f"has {name} = {_shown(value)}, which is not" if name else "is not"
    return Damaged(f"{where} {words}")


def _text(value: str, name: str) -> str:
    """Return text that can be written as UTF-8; JSON may contain halves of characters."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise Damaged(f"has {name or 'text'} that is not UTF-8") from None
    return value


def _member(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key


def _shown(value: Any) -> str:
    if isinstance(value, (list, dict)):  # which may be of any depth
        return "[…]" if isinstance(value, list) else "{…}"
    text = one_line(repr(value))
    return text if len(text) <= 40 else f"{text[:40]}…"
