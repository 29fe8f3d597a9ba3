"""Registry of the tabs, in order: one line registers a tab.

A tab is a folder: ``model.py`` holds its contents, without widgets, and ``panel.py`` displays them.
Tabs do not depend on each other. A panel is imported and built when its tab is first selected.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipywidgets import Widget

    from nanoconf.gui.services.work import Work
    from nanoconf.gui.state import AppState

    Builder = Callable[[AppState, Work], Widget]

POSITIVE, NEGATIVE = "Positive Ion Density", "Negative Ion Density"
CHARGE, INTEGRATED, POTENTIAL = "Charge Density", "Integrated Charge", "Potential"
PREDICTION, TRENDS, UNCERTAINTY = "Prediction Graph", "Trends", "Uncertainty"
SNAPSHOTS, RUNS, DOWNLOADS, ABOUT = "Snapshots", "Runs", "Downloads", "About"
LESSONS = "Lessons"


@dataclass(frozen=True)
class Tab:
    """A tab of the page.

    Attributes
    ----------
    title : str
        Its title, which also identifies it.
    build : callable
        Makes its panel from the state and the services.
    with_simulation, with_prediction : bool
        True if the tab shows a simulation, or a prediction.
    """

    title: str
    build: Builder
    with_simulation: bool = False
    with_prediction: bool = False


def panel(folder: str, name: str) -> Builder:
    """Return the builder of a panel, given its name in the ``panel.py`` of the tab's folder."""

    def build(state: AppState, work: Work) -> Widget:
        module = import_module(f"nanoconf.gui.tabs.{folder}.panel")
        return getattr(module, name)(state, work)

    return build


TABS = (
    Tab(POSITIVE, panel("profiles", "positive"), with_simulation=True, with_prediction=True),
    Tab(NEGATIVE, panel("profiles", "negative"), with_simulation=True, with_prediction=True),
    Tab(CHARGE, panel("profiles", "charge"), with_simulation=True, with_prediction=True),
    Tab(INTEGRATED, panel("profiles", "integrated"), with_simulation=True, with_prediction=True),
    Tab(POTENTIAL, panel("profiles", "potential"), with_simulation=True, with_prediction=True),
    Tab(PREDICTION, panel("profiles", "prediction"), with_prediction=True),
    Tab(TRENDS, panel("trends", "TrendsPanel")),
    Tab(UNCERTAINTY, panel("uncertainty", "UncertaintyPanel")),
    Tab(SNAPSHOTS, panel("snapshots", "SnapshotsPanel"), with_simulation=True),
    Tab(RUNS, panel("runs", "RunsPanel")),
    Tab(DOWNLOADS, panel("downloads", "DownloadsPanel")),
    Tab(LESSONS, panel("lessons", "LessonsPanel")),
    Tab(ABOUT, panel("about", "AboutPanel")),
)
