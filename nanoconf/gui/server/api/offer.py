"""Verbs that the page's server offers."""

from __future__ import annotations

from dataclasses import replace

from backend.settings import SETTINGS
from nanoconf.verbs.registry import VERBS
from nanoconf.verbs.verb import Verb

SETTINGS_OFFERED = ("duration_ns", "target_error", "seed")
"""Settings of a run that visitors choose. Others, such as a small time step, would make a run cost
more than the limits of the page allow."""


def offered() -> tuple[Verb, ...]:
    """Return the verbs, without the settings that visitors cannot choose."""
    refused = set(SETTINGS) - {*SETTINGS_OFFERED}
    return tuple(
        replace(verb, arguments=tuple(each for each in verb.arguments if each.name not in refused))
        for verb in VERBS
    )


def by_path() -> dict[str, dict[str, Verb]]:
    """Return the verbs by address and method."""
    found: dict[str, dict[str, Verb]] = {}
    for verb in offered():
        found.setdefault(verb.path, {})[verb.method] = verb
    return found
