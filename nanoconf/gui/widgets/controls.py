"""Small controls that several tabs share."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets

from nanoconf.gui.figures.plots import IONS


def small_button(text: str, tooltip: str, action: Callable[[], object]) -> widgets.Button:
    """Return a button that calls an action."""
    button = widgets.Button(description=text, tooltip=tooltip).add_class("nc-small")
    button.on_click(lambda _button: action())
    return button


def ion_chooser() -> widgets.Dropdown:
    """Return a list of the species."""
    return widgets.Dropdown(
        description="Show", options=[(ions, species) for species, ions in IONS.items()]
    )
