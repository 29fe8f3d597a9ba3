"""Runs: the history of the archive."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as widgets

from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState
from nanoconf.gui.tabs.registry import RUNS
from nanoconf.gui.tabs.runs.model import History
from nanoconf.gui.widgets.controls import ion_chooser, small_button
from nanoconf.gui.widgets.figure import Canvas

LIST_HEIGHT = 276


class RunsPanel(widgets.VBox):
    """Search field, list of runs, buttons, and a figure that compares the selected runs."""

    def __init__(self, state: AppState, work: Work):
        self.history = history = History(state, work)
        self._confirming = False
        self.search = widgets.Text(
            description="Search",
            placeholder="name, 3:−1, 0.5 M, done, ID …",
            continuous_update=True,
        ).add_class("nc-search")
        self.list = widgets.SelectMultiple(options=(), rows=7, description="Runs")
        self.message = widgets.HTML().add_class("nc-note")
        self.canvas = Canvas(state, RUNS, history.plot, LIST_HEIGHT)
        row = self._controls().add_class("nc-controls")
        super().__init__(
            [self.search, self.list.add_class("nc-list"), row, self.message, self.canvas]
        )
        self.add_class("nc-panel").add_class("nc-runs")
        self._connect()
        self._show()

    def _controls(self) -> widgets.HBox:
        """Return the row of buttons."""
        history = self.history
        self.name = widgets.Text(
            placeholder="name of the selected run", continuous_update=False
        ).add_class("nc-name")
        self.species = ion_chooser()
        self._delete = small_button(
            "Delete", "Permanently delete the selected runs", self._delete_pressed
        )

        def rename() -> None:
            history.rename(self.name.value)

        return widgets.HBox(
            [
                small_button(
                    "Open", "Show the selected run and set the inputs to match", history.open
                ),
                self.name,
                small_button("Rename", "Rename the selected run", rename),
                small_button("Cite", "Show citations for the selected runs", history.cite),
                self._delete,
                self.species,
            ]
        )

    def _connect(self) -> None:
        self.search.observe(self._searched, "value")
        self.list.observe(self._chosen, "value")
        self.species.observe(self._ion, "value")
        self.history.observe(self._show, "entries")
        self.history.observe(self._show_message, ["message", "citation"])
        self.history.observe(self.canvas.refresh, ["results", "species", "chosen"])

    def _searched(self, change: dict[str, Any]) -> None:
        self.history.search = change["new"]

    def _chosen(self, change: dict[str, Any]) -> None:
        self._confirm_delete(False)
        self.history.chosen = tuple(change["new"])

    def _ion(self, change: dict[str, Any]) -> None:
        self.history.species = change["new"]

    def _show(self, _change: Any = None) -> None:
        options = tuple((entry.as_text(), entry.run_id) for entry in self.history.entries)
        listed = {entry.run_id for entry in self.history.entries}
        kept = tuple(run_id for run_id in self.list.value if run_id in listed)
        with self.list.hold_sync():  # the browser must not select lines that no longer exist
            self.list.options = options
            self.list.value = kept

    def _delete_pressed(self) -> None:
        """Ask for confirmation at the first press, and delete at the second."""
        if self._confirming:
            self.history.delete()
        self._confirm_delete(not self._confirming and bool(self.history.chosen))

    def _confirm_delete(self, confirming: bool) -> None:
        self._confirming = confirming
        self._delete.description = "Delete for good?" if confirming else "Delete"

    def _show_message(self, _change: Any) -> None:
        cited, message = escape(self.history.citation), escape(self.history.message)
        self.message.value = f"<pre aria-label='Citation'>{cited}</pre>" if cited else message
