"""About: the physics, the accuracy of the model, and the citation."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from backend import __version__
from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState
from nanoconf.gui.tabs.about.model_table import about_model

SURROGATE = "<!-- the surrogate -->"
"""Placeholder for the model's card in ``about.html``."""


class AboutPanel(widgets.VBox):
    """Introduction for students, the model with its accuracy, and the citation."""

    def __init__(self, state: AppState, _work: Work):
        self._state = state
        text = Path(__file__).with_name("about.html").read_text(encoding="utf-8")
        before, _, after = text.replace("VERSION", escape(__version__)).partition(SURROGATE)
        self.model = widgets.HTML()
        super().__init__([widgets.HTML(before), self.model, widgets.HTML(after)])
        self.add_class("nc-about")
        state.observe(self._show, "model")
        self._show()

    def _show(self, _change: Any = None) -> None:
        card = self._state.model
        self.model.value = "" if card is None else about_model(card)
