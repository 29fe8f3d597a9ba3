"""Snapshots: the ions of the simulation on screen, in 3D."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState
from nanoconf.gui.tabs.snapshots.model import Snapshots
from nanoconf.gui.tabs.snapshots.view import TrajectoryView
from nanoconf.gui.widgets.chips import simulation_chip
from nanoconf.gui.widgets.figure import CONTROL_ROW, NARROW

CONTROLS_HEIGHT, NARROW_HEIGHT = 130, 130 + 2 * CONTROL_ROW
LOWEST = 160


class SnapshotsPanel(widgets.VBox):
    """The trajectory, with a label that names its system."""

    def __init__(self, state: AppState, work: Work):
        self._state = state
        self.model = Snapshots(state, work)
        self.caption = widgets.HTML().add_class("nc-caption")
        self.view = TrajectoryView(dark=state.dark)
        top = widgets.HBox([self.caption]).add_class("nc-top")
        super().__init__([top, self.view])
        self.add_class("nc-panel")
        self.model.observe(self._show, "version")
        state.observe(self._name, ["simulation", "simulation_stale"])
        state.observe(self._resize, "stage")
        state.observe(self._paint, "dark")
        self._resize()
        self._show()

    def _resize(self, _change: Any = None) -> None:
        width, height = self._state.stage
        reserved = NARROW_HEIGHT if width < NARROW else CONTROLS_HEIGHT
        self.view.resize(max(LOWEST, height - reserved))

    def _paint(self, _change: Any = None) -> None:
        self.view.dark = self._state.dark

    def _show(self, _change: Any = None) -> None:
        shown = self.model.simulation
        replicas = 1 if shown is None else shown.settings.replicas
        self.view.show(self.model.trajectory, self.model.empty_reason, replicas=replicas)
        self._name()

    def _name(self, _change: Any = None) -> None:
        """Update the label of the system."""
        shown = self.model.simulation
        self.caption.value = "" if shown is None else simulation_chip(self._state, shown)
