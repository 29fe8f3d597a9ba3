"""Strip above the figures that shows the current step of the open lesson."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as widgets

from nanoconf.gui.state import AppState
from nanoconf.gui.tabs.lessons.model import Lessons
from nanoconf.gui.tabs.registry import LESSONS
from nanoconf.gui.widgets.controls import small_button


class LessonStrip(widgets.HBox):
    """One line with the current step of the lesson, and a button that leads back to it.

    It is visible while a lesson is open and another tab is selected.
    """

    def __init__(self, state: AppState):
        self._state, self._lessons = state, Lessons(state)
        self.text = widgets.HTML().add_class("nc-strip-text")
        self.back = small_button(
            "Back to the lesson", "Return to the Lessons tab", self._lessons.back
        )
        self.end = small_button("Close", "Close the lesson; answers are kept", self._lessons.close)
        super().__init__([self.text, self.back, self.end])
        self.add_class("nc-lesson-strip")
        page = ["tab", "values", "model", "estimate", "simulation", "phase"]
        state.observe(self._show, ["lessons", *page])
        self._show()

    def _show(self, _change: Any = None) -> None:
        shown = self._lessons.is_open and self._state.tab != LESSONS
        self.layout.display = None if shown else "none"
        if not shown:
            return
        text = " · ".join([f"<b>Lesson {self._lessons.number}</b>", *map(escape, self._parts())])
        if self.text.value != text:
            self.text.value = text

    def _parts(self) -> list[str]:
        """Return the current setup, with what to do and what to look at."""
        setup = self._lessons.setup
        if setup is None:
            return [self._lessons.task.title]
        if not self._state.is_current(setup.system):
            return [self._lessons.task.title, "the inputs have been changed"]
        if self._lessons.covers(setup) or self._state.has_result:
            return [setup.look]
        run_first = self._lessons.run_first()
        return [run_first[:1].upper() + run_first[1:], setup.look]
