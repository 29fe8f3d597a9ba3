"""Snapshots: the ions of the simulation on screen, in 3D."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from nanoconf.gui import words
from nanoconf.gui.services.latest import Latest
from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState, Simulation
from nanoconf.gui.tabs.registry import SNAPSHOTS
from nanoconf.gui.tabs.snapshots.view import NOTHING, TrajectoryView
from nanoconf.gui.widgets.chips import simulation_chip

if TYPE_CHECKING:
    from backend.sampling.trajectory import Trajectory

CONTROLS_HEIGHT = 130
LOWEST = 160

LOADING = "The snapshots are being loaded …"
FIRST = "Press Run to simulate this system: its ions appear here when it is done."


class SnapshotsPanel(widgets.VBox):
    """Shows the trajectory of the run on screen, once somebody looks."""

    def __init__(self, state: AppState, work: Work):
        self._state, self._work = state, work
        self._shown = ""
        self._seen: Simulation | None = None
        self._latest = Latest(work.background, self._load, self._failed)
        self.caption = widgets.HTML().add_class("nc-caption")
        self.view = TrajectoryView(dark=state.dark)
        top = widgets.HBox([self.caption]).add_class("nc-top")
        super().__init__([top, self.view])
        self.add_class("nc-panel")
        state.observe(self._show, ["tab", "simulation"])
        state.observe(self._name, ["simulation", "simulation_stale"])
        state.observe(self._resize, "stage")
        state.observe(self._paint, "dark")
        self._resize()
        self._show()

    def _resize(self, _change: Any = None) -> None:
        self.view.resize(max(LOWEST, self._state.stage[1] - CONTROLS_HEIGHT))

    def _paint(self, _change: Any = None) -> None:
        self.view.dark = self._state.dark

    def _name(self, _change: Any = None) -> None:
        """Say whose ions these are, and whether that is the system at the left."""
        seen = self._seen
        self.caption.value = "" if seen is None else simulation_chip(self._state, seen)

    def _show(self, _change: Any = None) -> None:
        shown = self._state.simulation
        if self._state.tab != SNAPSHOTS:
            return
        if shown is None or shown.result is None:
            self._shown = ""
            self._see(None, None, FIRST)
        elif shown.run_id != self._shown:
            self._shown = shown.run_id
            self._see(None, None, LOADING)
            self._latest.ask(shown)

    def _load(self, shown: Simulation) -> None:
        from backend.sampling.trajectory import Trajectory

        folder = self._work.archive.folder / shown.run_id
        trajectory, why = None, NOTHING
        try:
            trajectory = Trajectory.load(folder, shown.system, shown.settings)
        except FileNotFoundError:
            pass  # a run that was asked for without them
        except (OSError, ValueError) as error:
            why = words.one_line(error)
        self._work.post(self._loaded, shown, trajectory, why)

    def _failed(self, error: Exception) -> None:
        self._work.post(self.view.show, None, words.one_line(error))

    def _loaded(self, shown: Simulation, trajectory: Trajectory | None, why: str) -> None:
        if shown.run_id == self._shown:  # another may have been opened meanwhile
            self._see(shown, trajectory, why)

    def _see(self, shown: Simulation | None, trajectory: Trajectory | None, why: str) -> None:
        self._seen = shown
        self.view.show(trajectory, why)
        self._name()
