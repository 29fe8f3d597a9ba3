"""Title of the page, and the model with its accuracy."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as widgets

from nanoconf.gui import words
from nanoconf.gui.state import AppState

HINT = "Median relative L2 error on simulations that were not used for training"


class HeaderPanel(widgets.HBox):
    """Title on the left, model on the right."""

    def __init__(self, state: AppState):
        self._state = state
        self.model = widgets.HTML().add_class("nc-model")
        title = widgets.HTML(
            "<h1>Ions in Nanoconfinement</h1>"
            "<p>Density profiles of an electrolyte between two walls</p>"
        )
        self.dark = widgets.ToggleButton(description="Dark", tooltip="Dark theme").add_class(
            "nc-small"
        )
        about = widgets.HBox([self.model, self.dark]).add_class("nc-row")
        super().__init__([title.add_class("nc-title"), about])
        self.add_class("nc-header")
        state.observe(self._show, "model")
        state.observe(self._show_dark, "dark")
        self.dark.observe(self._toggled, "value")

    def _toggled(self, change: dict[str, Any]) -> None:
        self._state.dark = change["new"]

    def _show_dark(self, _change: Any) -> None:
        self.dark.value = self._state.dark

    def _show(self, _change: Any = None) -> None:
        card = self._state.model
        text = f"model {card.name.removeprefix('model').lstrip('-')}"
        if card.metrics is not None:
            text += f" · typical error {words.percent(card.metrics.typical_error)}"
        self.model.value = f"<span title='{HINT}'>{escape(text)}</span>"
