"""Check of a dataclass against its type hints.

A file that was edited or damaged may be valid JSON and still hold text where a number is expected.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

LARGEST = 1e300
"""Magnitude that no number reaches; nan and infinity are rejected too."""

KINDS: dict[Any, tuple[tuple[type, ...], str]] = {
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    bool: ((bool,), "true or false"),
    str: ((str,), "text"),
    list: ((list, tuple), "a list"),
    dict: ((Mapping,), "an object with keys"),
    NoneType: ((NoneType,), "null"),
}
"""Accepted types and their description in messages, by type hint."""


def check_types(record: Any, name: str = "") -> None:
    """Check the values of a dataclass, and of the dataclasses in it, against their type hints.

    Parameters
    ----------
    record : dataclass
        Its hints are the types in `KINDS`, dataclasses, unions of these, and Any.
    name : str
        Name of the record in messages.

    Raises
    ------
    ValueError
        If a value has the wrong type or is not finite. The message names it, as in
        ``metrics.typical_error``.
    """
    for key, hint in _hints(record.__class__).items():
        _check(getattr(record, key), hint, f"{name}.{key}" if name else key)


@cache
def _hints(record: Hashable) -> dict[str, Any]:
    return get_type_hints(record)


def _check(value: Any, hint: Any, name: str) -> None:
    if get_origin(hint) in (Union, UnionType):
        hint = next((each for each in get_args(hint) if _fits(value, each)), get_args(hint)[0])
    if not _fits(value, hint):
        shown = repr(value)
        shown = shown if len(shown) < 40 else f"{shown[:36]} …"
        raise ValueError(f"{name} = {shown}: must be {_expected(hint)}")
    if is_dataclass(value):
        check_types(value, name)
        return
    for key, each, own in _elements(value, get_args(hint)):
        _check(each, own, f"{name}[{key!r}]")


def _fits(value: Any, hint: Any) -> bool:
    """Return True if the value itself has the type of the hint; its elements are not checked."""
    kind = get_origin(hint) or hint
    if kind is Any:
        return True
    if kind in (int, float):
        finite = isinstance(value, int | float) and -LARGEST < value < LARGEST
        return finite and isinstance(value, KINDS[kind][0]) and not isinstance(value, bool)
    return isinstance(value, KINDS[kind][0] if kind in KINDS else kind)


def _expected(hint: Any) -> str:
    kind = get_origin(hint) or hint
    return KINDS[kind][1] if kind in KINDS else KINDS[dict][1]


def _elements(value: Any, hints: tuple[Any, ...]) -> list[tuple[Any, Any, Any]]:
    """Return key, value and hint of each element of a list or mapping with such a hint."""
    if not hints:
        return []
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
    return [(key, each, hints[-1]) for key, each in pairs]
