"""The tabs: which there are, in order, each built when it is first seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from nanoconf.gui.services.work import Work
from nanoconf.gui.state import (
    ABOUT,
    CHARGE,
    DOWNLOADS,
    INTEGRATED,
    NEGATIVE,
    POSITIVE,
    POTENTIAL,
    PREDICTION,
    RUNS,
    SNAPSHOTS,
    TABS,
    TRENDS,
    UNCERTAINTY,
    AppState,
)
from nanoconf.gui.tabs.downloads.panel import DownloadsPanel
from nanoconf.gui.tabs.profiles import model as profiles
from nanoconf.gui.widgets.figure import SlitPanel

Builder = Callable[[AppState, Work], widgets.Widget]


def _slit(tab: str, plot: Callable[[AppState], Any]) -> Builder:
    return lambda state, _work: SlitPanel(state, tab, plot)


def _trends(state: AppState, work: Work) -> widgets.Widget:
    from nanoconf.gui.tabs.trends.panel import TrendsPanel

    return TrendsPanel(state, work)


def _uncertainty(state: AppState, work: Work) -> widgets.Widget:
    from nanoconf.gui.tabs.uncertainty.panel import UncertaintyPanel

    return UncertaintyPanel(state, work)


def _snapshots(state: AppState, work: Work) -> widgets.Widget:
    from nanoconf.gui.tabs.snapshots.panel import SnapshotsPanel

    return SnapshotsPanel(state, work)


def _runs(state: AppState, work: Work) -> widgets.Widget:
    from nanoconf.gui.tabs.runs.panel import RunsPanel

    return RunsPanel(state, work)


def _about(state: AppState, _work: Work) -> widgets.Widget:
    from nanoconf.gui.tabs.about.panel import AboutPanel

    return AboutPanel(state)


BUILDERS: dict[str, Builder] = {
    POSITIVE: _slit(POSITIVE, lambda state: profiles.density_plot(state, "positive")),
    NEGATIVE: _slit(NEGATIVE, lambda state: profiles.density_plot(state, "negative")),
    CHARGE: _slit(CHARGE, profiles.charge_plot),
    INTEGRATED: _slit(INTEGRATED, profiles.integrated_plot),
    POTENTIAL: _slit(POTENTIAL, profiles.potential_plot),
    PREDICTION: _slit(PREDICTION, profiles.prediction_plot),
    TRENDS: _trends,
    UNCERTAINTY: _uncertainty,
    SNAPSHOTS: _snapshots,
    RUNS: _runs,
    DOWNLOADS: lambda state, work: DownloadsPanel(state, work),
    ABOUT: _about,
}
"""What makes each tab's panel; those that need more than figures are imported with it."""


class TabsPanel(widgets.Tab):
    """All tabs; the one that is seen is `AppState.tab`."""

    def __init__(self, state: AppState, work: Work):
        self._state, self._work = state, work
        places = [widgets.VBox().add_class("nc-place") for _ in TABS]
        super().__init__(places, titles=TABS, selected_index=TABS.index(state.tab))
        self.add_class("nc-tabs")
        self.observe(self._selected, "selected_index")
        state.observe(self._show, "tab")
        self._show()

    def _selected(self, change: dict[str, Any]) -> None:
        if change["new"] is not None:
            self._state.tab = TABS[change["new"]]

    def _show(self, _change: Any = None) -> None:
        index = TABS.index(self._state.tab)
        self.selected_index = index
        place = self.children[index]
        if not place.children:
            place.children = (BUILDERS[self._state.tab](self._state, self._work),)
