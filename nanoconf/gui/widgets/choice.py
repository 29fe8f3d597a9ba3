"""A row of buttons of which one is selected: the tab bar, and switches between figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anywidget import AnyWidget
from traitlets import Enum, List, TraitError, Unicode, validate


class Choice(AnyWidget):
    """A choice of one title, with a single tab stop; the arrow keys move inside it.

    Attributes
    ----------
    groups : list of list of str
        The titles, in groups that a line separates.
    value : str
        The selected title.
    label : str
        Accessible name of the row.
    kind : {"tabs", "radios"}
        ``"tabs"`` selects with Enter or a click, because a panel may take a moment to build, and
        shows one of the ``nc-place`` elements beside it. ``"radios"`` selects with the arrow keys.
    """

    _esm = Path(__file__).with_name("choice.js")

    groups = List(List(Unicode())).tag(sync=True)
    value = Unicode().tag(sync=True)
    label = Unicode().tag(sync=True)
    kind = Enum(("tabs", "radios"), "radios").tag(sync=True)

    @property
    def titles(self) -> list[str]:
        """All titles, in order."""
        return [title for group in self.groups for title in group]

    def position(self, title: str) -> int:
        """Return the position of a title in the row."""
        return self.titles.index(title)

    @validate("value")
    def _known_title(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] not in self.titles:
            raise TraitError(f"there is no choice {proposal['value']!r}")
        return proposal["value"]
