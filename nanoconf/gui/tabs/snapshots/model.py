"""Model of the 3D tab: the trajectory of the run on screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from traitlets import Any as AnyTrait
from traitlets import HasTraits, Int, Unicode

from backend.runs.run_state import RunState
from nanoconf.gui import words
from nanoconf.gui.services.latest import Latest
from nanoconf.gui.tabs.registry import SNAPSHOTS

if TYPE_CHECKING:
    from backend.sampling.trajectory import Trajectory
    from nanoconf.gui.services.work import Work
    from nanoconf.gui.state import AppState, Simulation

NO_SNAPSHOTS = "This simulation has no snapshots."
LOADING = "Loading the snapshots …"
RUN_FIRST = "Press Run to simulate this system; its ions appear here when the run is done."


def missing(shown: Simulation) -> str:
    """Return the reason why a simulation without a result has no snapshots.

    The engine writes them together with the result.
    """
    if not shown.active:
        return RUN_FIRST
    if not shown.settings.snapshots:
        return NO_SNAPSHOTS
    if shown.state == RunState.QUEUED or shown.progress is None:
        return "The snapshots appear here when the run is done; it is waiting to start."
    done = f"{100 * shown.progress.fraction:.0f} %"
    return f"The snapshots appear here when the run is done: {done} so far."


class Snapshots(HasTraits):
    """Trajectory of the run on screen, loaded when the tab is selected.

    Parameters
    ----------
    state : AppState
        Provides the simulation and the selected tab.
    work : Work
        Session with the archive.

    Attributes
    ----------
    trajectory : Trajectory or None
        The snapshots.
    simulation : Simulation or None
        The simulation of these snapshots.
    empty_reason : str
        Reason why there are none.
    version : int
        Counter that increases with every change.
    """

    trajectory = AnyTrait(None, allow_none=True)
    simulation = AnyTrait(None, allow_none=True)
    empty_reason = Unicode(RUN_FIRST)
    version = Int(0)

    def __init__(self, state: AppState, work: Work):
        super().__init__()
        self._state, self._work = state, work
        self._wanted = ""
        self._latest = Latest(work.background, self._load, self._failed)
        state.observe(self._follow, ["tab", "simulation"])
        self._follow()

    def _follow(self, _change: Any = None) -> None:
        shown = self._state.simulation
        if self._state.tab != SNAPSHOTS:
            return
        if shown is None or shown.result is None:
            self._wanted = ""
            reason = RUN_FIRST if shown is None else missing(shown)
            if reason != self.empty_reason or self.simulation is not None:
                self._set(None, None, reason)
        elif shown.run_id != self._wanted:
            self._wanted = shown.run_id
            self._set(None, None, LOADING)
            self._latest.request(shown)

    def _load(self, shown: Simulation) -> None:
        from backend.sampling.trajectory import Trajectory

        folder = self._work.archive.folder / shown.run_id
        trajectory, reason = None, NO_SNAPSHOTS
        try:
            trajectory = Trajectory.load(folder, shown.system, shown.settings)
        except FileNotFoundError:
            pass  # the run was submitted without snapshots
        except (OSError, ValueError) as error:
            reason = words.one_line(error)
        self._work.post(self._loaded, shown, trajectory, reason)

    def _failed(self, error: Exception) -> None:
        self._work.post(self._set, None, None, words.one_line(error))

    def _loaded(self, shown: Simulation, trajectory: Trajectory | None, reason: str) -> None:
        if shown.run_id == self._wanted:  # another run may have been opened in the meantime
            self._set(shown, trajectory, reason)

    def _set(self, shown: Simulation | None, trajectory: Trajectory | None, reason: str) -> None:
        with self.hold_trait_notifications():
            self.simulation, self.trajectory, self.empty_reason = shown, trajectory, reason
            self.version += 1
