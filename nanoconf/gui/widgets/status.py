"""Status line and log."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as widgets

from nanoconf.gui.state import AppState


class StatusPanel(widgets.VBox):
    """The status line, and a log that can be opened."""

    def __init__(self, state: AppState):
        self._state = state
        self.line = widgets.HTML().add_class("nc-status-line")
        self.toggle = widgets.ToggleButton(
            description="Log", tooltip="Show the logs of the page and of the simulation"
        ).add_class("nc-log-toggle")
        self.lines = widgets.HTML().add_class("nc-log")
        super().__init__([self.lines, widgets.HBox([self.line, self.toggle]).add_class("nc-row")])
        self.add_class("nc-status")
        self.toggle.observe(self._toggled, "value")
        state.observe(self._show_line, ["status", "mood", "problems", "simulation", "phase"])
        state.observe(self._show_log, ["log", "worker_log"])
        self._show_line()
        self._show_log()

    def _toggled(self, change: dict[str, Any]) -> None:
        (self.lines.add_class if change["new"] else self.lines.remove_class)("nc-open")

    def _show_line(self, _change: Any = None) -> None:
        text, mood = self._state.status_line
        self.line.value = (
            f"<span class='nc-dot nc-{mood}'></span><span role='status'>{escape(text)}</span>"
        )

    def _show_log(self, _change: Any = None) -> None:
        page = "\n".join(self._state.log)
        worker = "\n".join(self._state.worker_log)
        self.lines.value = (
            f"<pre aria-label='Log of this page'>{escape(page)}</pre>"
            f"<pre aria-label='Log of the simulation'>{escape(worker)}</pre>"
        )
