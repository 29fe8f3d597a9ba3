"""A list of widgets that changes with its keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets as widgets


class Rows(widgets.VBox):
    """One row for each key. Unchanged keys keep their rows, so that a button keeps its focus.

    Parameters
    ----------
    make : callable
        Makes the row for a key.
    """

    def __init__(self, make: Callable[[Any], widgets.Widget]):
        self._make = make
        self._keys: tuple[Any, ...] = ()
        self._rows: tuple[widgets.Widget, ...] = ()
        super().__init__()

    def show(self, keys: Iterable[Any]) -> None:
        """Show the rows of the given keys, and close all other rows."""
        keys = tuple(keys)
        if keys == self._keys:
            return
        before, self._rows = self._rows, tuple(map(self._make, keys))
        self._keys, self.children = keys, self._rows
        for row in before:
            close(row)


def close(widget: widgets.Widget) -> None:
    """Close a widget with its children, layout and style, which ipywidgets would keep."""
    owned = (getattr(widget, "layout", None), getattr(widget, "style", None))
    for part in (*getattr(widget, "children", ()), *owned):
        if isinstance(part, widgets.Widget):
            close(part)
    widget.close()
