"""Links that open the page with inputs, a tab or a run: their parsing and formatting.

A link is untrusted text from outside. Each part that cannot be used is reported, and the rest
applies all the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote

from nanoconf.gui.entered_inputs import Inputs
from nanoconf.gui.fields import FIELDS, Field, Refused, clipped
from nanoconf.gui.tabs.registry import RENAMED, TABS, Tab, slug

TAB, RUN, FIX, HIDE = "tab", "run", "fix", "hide"

NOT_OURS = ("token", "ticket", "teacher", "template", "theme", "redirects")
"""Keys of the server, Voila and JupyterHub; they may be secret and are never repeated."""

LONGEST = 2000
"""Maximum number of characters of a query."""

TOO_LONG = "too-long"
"""Key that replaces a query that is too long for the server."""

MAXIMUM_PROBLEMS = 8
"""Maximum number of lines about one link."""

RUN_ID = re.compile("[0-9a-f]{8,32}")


@dataclass(frozen=True)
class Link:
    """Contents of a link.

    Attributes
    ----------
    given : bool
        True if it names anything that the page knows.
    texts : dict of str to str
        Typed text of each given input, by name; all are valid together.
    tab : str
        Title of the tab or of one of its figures; empty if there is none.
    run : str
        ID of a run, or its beginning; empty if there is none.
    fixed, hidden : tuple of str
        Names of the inputs that cannot be changed, and of those that are not shown either.
    problems : tuple of str
        One line for each part that cannot be used.
    """

    given: bool = False
    texts: dict[str, str] = field(default_factory=dict)
    tab: str = ""
    run: str = ""
    fixed: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def keys() -> dict[str, Field]:
    """Return the input of each key, in the order of the page."""
    return {each.link_key: each for each in FIELDS.values()}


# --- formatting -----------------------------------------------------------------------------


def run_link(run_id: str) -> str:
    """Return the query that opens a run."""
    return f"?{RUN}={run_id}"


def inputs_link(inputs: Inputs, tab: str) -> str:
    """Return the query that sets the inputs that differ from the defaults and opens a tab.

    Parameters
    ----------
    inputs : Inputs
        The inputs, which must be valid.
    tab : str
        Title of the tab, or of its figure.
    """
    pairs = [
        (each.link_key, _number(inputs.values[name]))
        for name, each in FIELDS.items()
        if inputs.values[name] != each.default
    ]
    pairs.append((TAB, slug(tab)))
    for key, names in ((FIX, inputs.fixed), (HIDE, inputs.hidden)):
        if names:
            pairs.append((key, ",".join(FIELDS[name].link_key for name in names)))
    return "?" + "&".join(f"{key}={quote(value, safe=',')}" for key, value in pairs)


def _number(value: float | None) -> str:
    """Return the shortest text of a number that is read back exactly."""
    return "" if value is None else repr(value).removesuffix(".0")


# --- parsing --------------------------------------------------------------------------------


def parse(search: Any, tabs: Iterable[Tab] = TABS) -> Link:
    """Parse the query of the page's address, with or without its question mark."""
    if not isinstance(search, str) or not search.strip("?"):
        return Link()
    query = search.removeprefix("?")
    if len(query) > LONGEST or query == f"{TOO_LONG}=":
        return Link(
            problems=(_ignored(f"all of it, because it has more than {LONGEST} characters"),)
        )
    pairs = parse_qsl(query, keep_blank_values=True)
    reader = _Reader({tab.slug: tab for tab in tabs})
    for key, value in pairs:
        if key not in NOT_OURS:
            reader.read(key, value)
    return reader.link()


class _Reader:
    """Reader of the pairs of a query, which collects their problems."""

    def __init__(self, tabs: Mapping[str, Tab]):
        self._tabs, self._inputs = tabs, keys()
        self._found: dict[str, Any] = {}
        self._problems: list[str] = []
        self._seen: set[str] = set()
        self._parsers: dict[str, Callable[[str], Any]] = {
            TAB: self._tab,
            RUN: self._run,
            FIX: lambda value: self._names(FIX, value),
            HIDE: lambda value: self._names(HIDE, value),
        }

    def read(self, key: str, value: str) -> None:
        """Read a pair; only the first of several with the same key is used."""
        key, value = _printable(key), _printable(value).strip()
        known = (*self._inputs, *self._parsers)
        if key not in known:
            self._ignore(f"“{clipped(key)}” is not a key; it must be {_either(known)}")
        elif key in self._seen:
            self._ignore(f"{key} = {clipped(value)}: {key} is given more than once")
        else:
            self._seen.add(key)
            self._keep(key, value)

    def _keep(self, key: str, value: str) -> None:
        try:
            parse = self._parsers.get(key)
            self._found[key] = parse(value) if parse else self._text(key, value)
        except Refused as refusal:
            self._ignore(str(refusal))

    def _ignore(self, problem: str) -> None:
        line = _ignored(problem)
        if line not in self._problems:
            self._problems.append(line)

    def _text(self, key: str, value: str) -> str:
        self._inputs[key].parse(value)
        return value

    def _tab(self, value: str) -> str:
        titles = {slug(title): title for tab in self._tabs.values() for title in tab.figures}
        titles |= {slug(former): title for former, title in RENAMED.items()}
        titles |= {name: tab.title for name, tab in self._tabs.items()}
        if slug(value) not in titles:
            raise Refused(f"{_shown(TAB, value)}: must be {_either(self._tabs)}")
        return titles[slug(value)]

    def _run(self, value: str) -> str:
        if not RUN_ID.fullmatch(value.lower()):
            allowed = "must be a run ID, or at least its first 8 digits (0-9, a-f)"
            raise Refused(f"{_shown(RUN, value)}: {allowed}")
        return value.lower()

    def _names(self, key: str, value: str) -> tuple[str, ...]:
        """Return the names of a list of inputs; unknown ones are reported and left out."""
        given = dict.fromkeys(part.strip() for part in value.split(","))
        allowed = f"must be {_either(self._inputs)}"
        for each in given:
            if each not in self._inputs:
                self._ignore(f"{_shown(key, each)}: {allowed}")
        return tuple(self._inputs[each].name for each in given if each in self._inputs)

    def link(self) -> Link:
        """Return the contents of the link."""
        found = self._found
        typed = {each.name: found[key] for key, each in self._inputs.items() if key in found}
        texts = self._together(typed)
        return Link(
            given=bool(self._seen),
            texts=texts,
            tab=found.get(TAB, ""),
            run=found.get(RUN, ""),
            fixed=found.get(FIX, ()),
            hidden=found.get(HIDE, ()),
            problems=self._limited(),
        )

    def _limited(self) -> tuple[str, ...]:
        left = len(self._problems) - MAXIMUM_PROBLEMS
        more = (f"Ignored in the link: {left} more.",) if left > 0 else ()
        return (*self._problems[:MAXIMUM_PROBLEMS], *more)

    def _together(self, texts: dict[str, str]) -> dict[str, str]:
        """Return the inputs if they are valid together, else none."""
        inputs = Inputs()
        inputs.restore(texts)
        for problem in inputs.problems.values():
            self._ignore(f"{problem}; all inputs of the link are ignored")
        return texts if inputs.valid else {}


def _ignored(problem: str) -> str:
    return f"Ignored in the link: {problem}."


def _shown(key: str, value: str) -> str:
    return f"{key} = {clipped(value)}" if value else f"{key} is empty"


def _either(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}"


def _printable(text: str) -> str:
    """Return text from outside on one line, without control characters."""
    return "".join(each if each.isprintable() else "�" for each in text)
