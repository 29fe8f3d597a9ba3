"""The tab bar and the panels of the tabs; each panel is built when its tab is first selected."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets
from traitlets import link

from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState
from nanoconf.gui.tabs.registry import grouped
from nanoconf.gui.widgets.choice import Choice


class TabsPanel(widgets.VBox):
    """All tabs; `AppState.tab` is the selected one.

    Attributes
    ----------
    bar : Choice
        The tab bar. In the browser it shows the panel of the selected tab and hides the others.
    stage : VBox
        The panels built so far.
    """

    def __init__(self, state: AppState, work: Work):
        self._state, self._work = state, work
        self._built: set[str] = set()
        groups = grouped(state.tabs.values())
        self.bar = Choice(groups=groups, value=state.tab, label="Results", kind="tabs")
        self.stage = widgets.VBox().add_class("nc-stage")
        super().__init__([self.bar.add_class("nc-tab-bar"), self.stage])
        self.add_class("nc-tabs")
        link((state, "tab"), (self.bar, "value"))
        state.observe(self._show, "tab")
        self._show()

    def _show(self, _change: Any = None) -> None:
        tab = self._state.shown_tab
        if tab.title not in self._built:
            self._built.add(tab.title)
            place = widgets.VBox([tab.build(self._state, self._work)]).add_class("nc-place")
            place.add_class(f"nc-place-{self.bar.position(tab.title)}")  # for choice.js
            self.stage.children = (*self.stage.children, place)
        # A narrow window leaves the inputs room below a figure that follows them.
        (self.add_class if tab.with_prediction else self.remove_class)("nc-follows")
