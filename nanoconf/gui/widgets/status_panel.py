"""Status line and log."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as widgets
from anywidget import AnyWidget
from traitlets import Unicode

from nanoconf.gui.state import AppState
from nanoconf.gui.status import TRAITS, Status, current_status


class StatusLine(AnyWidget):
    """The status line, with a hidden line for screen readers.

    Attributes
    ----------
    text, mood, spoken : str
        As in `Status`.
    """

    _esm = Path(__file__).with_name("status_line.js")

    text = Unicode().tag(sync=True)
    mood = Unicode("idle").tag(sync=True)
    spoken = Unicode().tag(sync=True)

    def show(self, status: Status) -> None:
        """Show a status."""
        with self.hold_sync():
            self.text, self.mood = status.text, status.mood
            self.spoken = status.spoken or status.text


class StatusPanel(widgets.VBox):
    """The status line, and a log that can be opened."""

    def __init__(self, state: AppState):
        self._state = state
        self.line = StatusLine()
        self.toggle = widgets.ToggleButton(
            description="Log", tooltip="Show the logs of the page and of the simulation"
        ).add_class("nc-log-toggle")
        self.page_log = widgets.HTML().add_class("nc-page-log")
        self.run_log = widgets.HTML().add_class("nc-run-log")
        self.logs = widgets.HBox([self.page_log, self.run_log]).add_class("nc-log")
        super().__init__([self.logs, widgets.HBox([self.line, self.toggle]).add_class("nc-row")])
        self.add_class("nc-status")
        self.toggle.observe(self._toggled, "value")
        state.observe(self._show_line, TRAITS)
        state.observe(self._show_log, ["log", "worker_log"])
        self._show_line()
        self._show_log()

    def _toggled(self, change: dict[str, Any]) -> None:
        (self.logs.add_class if change["new"] else self.logs.remove_class)("nc-open")

    def _show_line(self, _change: Any = None) -> None:
        self.line.show(current_status(self._state))

    def _show_log(self, _change: Any = None) -> None:
        for widget, lines in (
            (self.page_log, self._state.log),
            (self.run_log, self._state.worker_log),
        ):
            text = escape("\n".join(lines))
            widget.value = f"<pre>{text}</pre>"
