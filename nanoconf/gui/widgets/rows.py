"""Rows of widgets that come and go."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets as widgets


class Rows(widgets.VBox):
    """A row for each key. While the keys are the same, so are the rows: a button keeps its focus.

    Parameters
    ----------
    make : callable
        Makes the row of a key.
    """

    def __init__(self, make: Callable[[Any], widgets.Widget]):
        self._make = make
        self._keys: tuple[Any, ...] = ()
        self._rows: tuple[widgets.Widget, ...] = ()
        super().__init__()

    def show(self, keys: Iterable[Any]) -> None:
        """Have the rows of these keys, and close those of others."""
        keys = tuple(keys)
        if keys == self._keys:
            return
        before, self._rows = self._rows, tuple(map(self._make, keys))
        self._keys, self.children = keys, self._rows
        for row in before:
            close(row)


def close(widget: widgets.Widget) -> None:
    """End a widget with all that belongs to it; ipywidgets ends it alone, and keeps the rest."""
    belongings = (getattr(widget, "layout", None), getattr(widget, "style", None))
    for part in (*getattr(widget, "children", ()), *belongings):
        if isinstance(part, widgets.Widget):
            close(part)
    widget.close()
