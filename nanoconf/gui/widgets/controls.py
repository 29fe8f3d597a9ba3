"""Small controls that several tabs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
from traitlets import Bool, observe

from nanoconf.gui.figures.plots import IONS


class SteadyButton(widgets.Button):
    """A button that keeps the focus while it is off.

    Browsers take the focus from a button that is disabled, and Tab skips it, even if it is disabled
    only for a moment: while a number is being typed, or while a run starts. This one is marked as
    off instead (see `browser.js`) and ignores clicks.

    Attributes
    ----------
    off : bool
        True if the button does nothing.
    """

    off = Bool(False)

    @observe("off")
    def _mark(self, _change: Any = None) -> None:
        (self.add_class if self.off else self.remove_class)("nc-off")

    def click(self) -> None:
        """Call the actions, unless the button is off."""
        if not self.off:
            super().click()


def small_button(text: str, tooltip: str, action: Callable[[], object]) -> widgets.Button:
    """Return a button that calls an action."""
    button = widgets.Button(description=text, tooltip=tooltip).add_class("nc-small")
    button.on_click(lambda _button: action())
    return button


def offer(button: widgets.Button, offered: bool) -> None:
    """Show or hide a button; its place stays, so that no other control moves."""
    button.layout.visibility = None if offered else "hidden"


def ion_chooser() -> widgets.Dropdown:
    """Return a list of the species."""
    return widgets.Dropdown(
        description="Show", options=[(ions, species) for species, ions in IONS.items()]
    )
