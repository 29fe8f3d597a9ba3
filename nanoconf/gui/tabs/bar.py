"""Row of tabs; each tab is built when it is first selected."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState


class TabsPanel(widgets.Tab):
    """All tabs; `AppState.tab` is the selected one."""

    def __init__(self, state: AppState, work: Work):
        self._state, self._work = state, work
        self._titles = tuple(state.tabs)
        places = [widgets.VBox().add_class("nc-place") for _ in self._titles]
        index = self._titles.index(state.tab)
        super().__init__(places, titles=self._titles, selected_index=index)
        self.add_class("nc-tabs")
        self.observe(self._selected, "selected_index")
        state.observe(self._show, "tab")
        self._show()

    def _selected(self, change: dict[str, Any]) -> None:
        if change["new"] is not None:
            self._state.tab = self._titles[change["new"]]

    def _show(self, _change: Any = None) -> None:
        index = self._titles.index(self._state.tab)
        self.selected_index = index
        place = self.children[index]
        if not place.children:
            place.children = (self._state.shown_tab.build(self._state, self._work),)
