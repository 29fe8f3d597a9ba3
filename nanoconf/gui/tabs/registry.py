"""Registry of the tabs, in order: one line registers a tab.

A tab is a folder: ``model.py`` holds its contents, without widgets, and ``panel.py`` displays them.
Tabs do not depend on each other. A panel is imported and built when its tab is first selected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipywidgets import Widget

    from nanoconf.gui.services.work import Work
    from nanoconf.gui.state import AppState

    Builder = Callable[[AppState, Work], Widget]

POSITIVE, NEGATIVE, CHARGE = "Positive Ion Density", "Negative Ion Density", "Charge"
PREDICTION, TRENDS, UNCERTAINTY = "Prediction Graph", "Trends", "Uncertainty"
SNAPSHOTS, RUNS, DOWNLOADS, ABOUT = "3D", "Runs", "Downloads", "About"
LESSONS, CLASS = "Lessons", "Class"

CHARGE_DENSITY, INTEGRATED, POTENTIAL = "Charge Density", "Integrated Charge", "Potential"
"""Figures of the Charge tab."""

RENAMED = {"Snapshots": SNAPSHOTS}
"""Former titles of tabs, which browsers may have stored."""


@dataclass(frozen=True)
class Tab:
    """A tab of the page.

    Attributes
    ----------
    title : str
        Its title, which also identifies it.
    build : callable
        Makes its panel from the state and the services.
    group : str
        Group in the tab bar; a line separates neighbouring groups.
    with_simulation, with_prediction : bool
        True if the tab shows a simulation, or a prediction.
    figures : tuple of str
        Titles of its figures if the user can choose between several; otherwise the figure has the
        tab's title.
    """

    title: str
    build: Builder
    group: str = ""
    with_simulation: bool = False
    with_prediction: bool = False
    figures: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        """Its name in links: ``positive-ion-density``."""
        return slug(self.title)


def slug(title: str) -> str:
    """Return a title in lower case, with hyphens between words."""
    return re.sub("[^a-z0-9]+", "-", title.lower()).strip("-")


def grouped(tabs: Iterable[Tab]) -> list[list[str]]:
    """Return the titles of the tabs in each group, in order."""
    return [[tab.title for tab in group] for _, group in groupby(tabs, lambda tab: tab.group)]


def panel(folder: str, name: str) -> Builder:
    """Return the builder of a panel, given its name in the ``panel.py`` of the tab's folder."""

    def build(state: AppState, work: Work) -> Widget:
        module = import_module(f"nanoconf.gui.tabs.{folder}.panel")
        return getattr(module, name)(state, work)

    return build


PROFILES, MODEL, STUDIES, FILES, HELP = "profiles", "model", "studies", "files", "help"
"""Groups of tabs."""

CHARGES = (CHARGE_DENSITY, INTEGRATED, POTENTIAL)

TABS = (
    Tab(POSITIVE, panel("profiles", "positive"), PROFILES, True, True),
    Tab(NEGATIVE, panel("profiles", "negative"), PROFILES, True, True),
    Tab(CHARGE, panel("profiles", "charge"), PROFILES, True, True, CHARGES),
    Tab(PREDICTION, panel("profiles", "prediction"), MODEL, with_prediction=True),
    Tab(TRENDS, panel("trends", "TrendsPanel"), STUDIES),
    Tab(UNCERTAINTY, panel("uncertainty", "UncertaintyPanel"), STUDIES),
    Tab(SNAPSHOTS, panel("snapshots", "SnapshotsPanel"), STUDIES, with_simulation=True),
    Tab(RUNS, panel("runs", "RunsPanel"), FILES),
    Tab(DOWNLOADS, panel("downloads", "DownloadsPanel"), FILES),
    Tab(LESSONS, panel("lessons", "LessonsPanel"), HELP),
    Tab(ABOUT, panel("about", "AboutPanel"), HELP),
)

CLASS_TAB = Tab(CLASS, panel("classroom", "ClassPanel"), FILES)
"""Tab of the teacher's view."""


def with_class(tabs: Iterable[Tab]) -> list[Tab]:
    """Return the tabs of a teacher's page: the runs of the class come before all runs."""
    found = list(tabs)
    titles = [tab.title for tab in found]
    found.insert(titles.index(RUNS) if RUNS in titles else len(found), CLASS_TAB)
    return found
