"""Class: queue, progress and results of the class, for its teacher."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as widgets
from traitlets import link

from nanoconf.gui import words
from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState
from nanoconf.gui.tabs.classroom.model import ALL, TODAY, ClassRuns, Row
from nanoconf.gui.tabs.registry import CLASS
from nanoconf.gui.widgets.choice import Choice
from nanoconf.gui.widgets.controls import small_button
from nanoconf.gui.widgets.figure import CONTROL_ROW, NARROW, Canvas

CLEAR = "Clear the class's runs"
EXPLAINED = "Cancel and delete all these runs, after a confirmation"

HEADS = ("Browser", "Inputs", "Length", "State")

AROUND_HEIGHT, LOWEST = 300, 300
"""Height of everything above and below the figure, in a tab that is not narrow, and lowest figure
with its tools (CSS pixels). The tab scrolls if it is too low for both."""

LEAVE = "<a href='teacher?leave'>Leave the teacher's view</a>"


class ClassPanel(widgets.VBox):
    """Table of the runs of the class, its results in one figure, and a button to clear the runs."""

    def __init__(self, state: AppState, work: Work):
        self._state, self.runs = state, ClassRuns(state, work)
        runs = self.runs
        self.summary = widgets.HTML().add_class("nc-note")
        self.table = widgets.HTML().add_class("nc-class-table")
        self.since = Choice(groups=[[TODAY, ALL]], value=runs.since, label="Runs of").add_class(
            "nc-switch"
        )
        self.clear = small_button(CLEAR, EXPLAINED, self._clear_pressed).add_class("nc-clear")
        self.keep = small_button("Keep them", "Delete nothing", runs.keep)
        self.message = widgets.HTML().add_class("nc-note").add_class("nc-class-message")
        self.canvas = Canvas(state, CLASS, runs.plot, self._around_height)
        controls = widgets.HBox([self.since, self.clear, self.keep]).add_class("nc-controls")
        leave = widgets.HTML(LEAVE).add_class("nc-entry")
        super().__init__([self.summary, self.table, controls, self.message, self.canvas, leave])
        self.add_class("nc-panel").add_class("nc-class")
        link((runs, "since"), (self.since, "value"))
        runs.observe(self._show, ["rows", "summary"])
        runs.observe(self._show_clear, ["rows", "asked", "clearing"])
        runs.observe(self._show_message, "message")
        runs.observe(self.canvas.refresh, "results")
        self._show()
        self._show_clear()

    def _around_height(self, width: int) -> int:
        """Return the height of everything but the figure in a tab of a given width (CSS pixels)."""
        around = AROUND_HEIGHT + (CONTROL_ROW if width < NARROW else 0)
        return min(around, self._state.stage[1] - LOWEST)

    def _clear_pressed(self) -> None:
        """Ask for confirmation on the first press, and delete on the second."""
        (self.runs.clear if self.runs.asked else self.runs.ask)()

    def _show(self, _change: Any = None) -> None:
        self.summary.value, self.table.value = escape(self.runs.summary), as_table(self.runs.rows)

    def _show_clear(self, _change: Any = None) -> None:
        runs = self.runs
        count = words.plural(len(runs.asked), "run")
        self.clear.description = f"Delete {count} for good?" if runs.asked else CLEAR
        self.clear.disabled = runs.clearing or not (runs.asked or runs.rows)
        self.keep.layout.display = None if runs.asked else "none"

    def _show_message(self, _change: Any) -> None:
        self.message.value = escape(self.runs.message)


def as_table(rows: tuple[Row, ...]) -> str:
    """Return the table as HTML."""
    heads = "".join(f"<th scope='col'>{head}</th>" for head in HEADS)
    body = "".join(map(_as_row, rows))
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def _as_row(row: Row) -> str:
    bar = ""
    if row.fraction is not None:
        bar = f"<progress value='{row.fraction:.3f}' aria-hidden='true'></progress> "
    cells = "".join(f"<td>{text}</td>" for text in map(escape, (row.system, row.length)))
    head = f"<th scope='row'>Browser {row.browser}</th>"
    return f"<tr>{head}{cells}<td>{bar}{escape(row.state)}</td></tr>"
