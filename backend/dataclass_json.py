"""Dataclasses whose fields are the keys of a JSON file.

A field without a default is a key that the file always has. One with a default is left out of the
file while it has that value, so a file of an earlier version, which lacks the key, is written back
unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any


def known(record: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a dataclass has a field for."""
    return {each.name: values[each.name] for each in fields(record) if each.name in values}


def unknown(record: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a dataclass has no field for."""
    names = {each.name for each in fields(record)}
    return {name: value for name, value in values.items() if name not in names}


def as_json(value: Any) -> Any:
    """Return a dataclass as JSON values, with the fields in order."""
    if isinstance(value, dict):
        return {key: as_json(each) for key, each in value.items()}
    if not is_dataclass(value):
        return value
    found = {each.name: (getattr(value, each.name), _default(each)) for each in fields(value)}
    return {name: as_json(own) for name, (own, default) in found.items() if own != default}


def _default(of: Any) -> Any:
    return of.default if of.default_factory is MISSING else of.default_factory()
