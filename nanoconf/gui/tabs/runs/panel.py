"""Runs: table of the runs in the archive."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as widgets
from traitlets import link

from nanoconf.gui.links import run_link
from nanoconf.gui.services.permissions import Action
from nanoconf.gui.services.visitor import Role
from nanoconf.gui.services.work import Work
from nanoconf.gui.state import EVERYONE, MINE, AppState
from nanoconf.gui.tabs.registry import RUNS
from nanoconf.gui.tabs.runs.model import History
from nanoconf.gui.tabs.runs.runs_table import RunsTable
from nanoconf.gui.widgets.choice import Choice
from nanoconf.gui.widgets.controls import ion_chooser, offer, small_button
from nanoconf.gui.widgets.copyable import Copyable, CopyLink
from nanoconf.gui.widgets.figure import Canvas

RENAME = "Rename the selected run (only a run started in this browser)"
CANCEL = "Cancel the selected runs (only runs started in this browser)"
DELETE = "Permanently delete the selected runs (only runs started in this browser)"

LIST_HEIGHT, ENTRY_HEIGHT = 366, 24
"""Height of everything above the figure, and of the entry below it (CSS pixels)."""

TEACHER = "<a href='?teacher'>Teacher</a>"
"""Entry to the teacher's view, on servers that have one."""


class RunsPanel(widgets.VBox):
    """Search field, table of runs, buttons, and a figure that compares the selected runs."""

    def __init__(self, state: AppState, work: Work):
        self.history = history = History(state, work)
        self._confirming = False
        self.search = widgets.Text(
            description="Search",
            placeholder="name, 3:−1, 0.5 M, done, ID …",
            continuous_update=True,
        ).add_class("nc-search")
        self.table = RunsTable()
        self.message = widgets.HTML().add_class("nc-note")
        self.citation = Copyable(label="Citation")
        entry = [TEACHER] if work.visitor.role is Role.STUDENT else []
        reserved = LIST_HEIGHT + ENTRY_HEIGHT * len(entry)
        self.canvas = Canvas(state, RUNS, history.plot, lambda _width: reserved)
        row = self._controls().add_class("nc-controls")
        outcome = widgets.VBox([self.message, self.citation]).add_class("nc-outcome")
        self.whose = Choice(
            groups=[[MINE, EVERYONE]], value=state.whose_runs, label="Runs of"
        ).add_class("nc-switch")
        link((state, "whose_runs"), (self.whose, "value"))
        top = widgets.HBox([self.search, self.whose]).add_class("nc-runs-top")
        foot = [widgets.HTML(text).add_class("nc-entry") for text in entry]
        super().__init__([top, self.table, row, outcome, self.canvas, *foot])
        self.add_class("nc-panel").add_class("nc-runs")
        self._connect()
        self._show()
        self._show_buttons()

    def _controls(self) -> widgets.HBox:
        """Return the row of buttons."""
        history = self.history
        self.name = widgets.Text(
            placeholder="name of the selected run",
            tooltip="Name of the selected run",
            continuous_update=False,
        ).add_class("nc-name")
        self.species = ion_chooser()
        self._open = small_button(
            "Open", "Show the selected run and set the inputs to match", history.open
        )
        self._rename = small_button("Rename", RENAME, lambda: history.rename(self.name.value))
        self._cite = small_button("Cite", "Show citations for the selected runs", history.cite)
        self.link = CopyLink(label="Copy a link to the selected run")
        self._cancel = small_button("Cancel run", CANCEL, history.cancel)
        self._delete = small_button("Delete", DELETE, self._delete_pressed)
        buttons = [self._open, self.name, self._rename, self._cite, self._cancel, self._delete]
        return widgets.HBox([*buttons, self.link, self.species])

    def _connect(self) -> None:
        self.search.observe(self._searched, "value")
        self.table.observe(self._chosen, "chosen")
        self.species.observe(self._ion, "value")
        self.history.observe(self._show, ["entries", "note"])
        self.history.observe(self._choose, "chosen")
        self.history.observe(self._show_buttons, ["entries", "chosen"])
        self.history.observe(self._show_message, ["message", "citation"])
        self.history.observe(self.canvas.refresh, ["results", "species", "chosen"])

    def _searched(self, change: dict[str, Any]) -> None:
        self.history.search = change["new"]

    def _chosen(self, change: dict[str, Any]) -> None:
        self._confirm_delete(False)
        self.history.chosen = change["new"]

    def _choose(self, change: dict[str, Any]) -> None:
        self.table.chosen = change["new"]

    def _ion(self, change: dict[str, Any]) -> None:
        self.history.species = change["new"]

    def _show(self, _change: Any = None) -> None:
        self.table.show(self.history.entries, self.history.note)

    def _show_buttons(self, _change: Any = None) -> None:
        """Offer the buttons that are for this browser, and enable those that apply."""
        history, count = self.history, len(self.history.selected)
        # The name stays enabled: a browser drops what is being typed in a field that is disabled.
        self._open.disabled = count != 1
        self._rename.disabled = not history.renamable
        self._cite.disabled = count == 0
        self.link.text = run_link(history.selected[0].run_id) if count == 1 else ""
        self._cancel.disabled = not history.cancellable
        self._delete.disabled = not history.deletable
        offer(self._rename, not history.refusal(Action.RENAME))
        offer(self._cancel, not history.refusal(Action.CANCEL))
        offer(self._delete, not history.refusal(Action.DELETE))

    def _delete_pressed(self) -> None:
        """Ask for confirmation on the first press, and delete on the second."""
        confirmed = self._confirming
        if confirmed:
            self.history.delete()
        self._confirm_delete(not confirmed)

    def _confirm_delete(self, confirming: bool) -> None:
        self._confirming = confirming
        self._delete.description = "Delete for good?" if confirming else "Delete"

    def _show_message(self, _change: Any) -> None:
        self.message.value = escape(self.history.message)
        self.citation.text = self.history.citation
