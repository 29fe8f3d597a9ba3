"""What the Snapshots tab knows: the trajectory of the run on screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from traitlets import Any as AnyTrait
from traitlets import HasTraits, Int, Unicode

from nanoconf.gui import words
from nanoconf.gui.services.latest import Latest
from nanoconf.gui.tabs.registry import SNAPSHOTS

if TYPE_CHECKING:
    from backend.sampling.trajectory import Trajectory
    from nanoconf.gui.services.work import Work
    from nanoconf.gui.state import AppState, Simulation

NOTHING = "There are no snapshots of this simulation."
LOADING = "The snapshots are being loaded …"
FIRST = "Press Run to simulate this system: its ions appear here when it is done."


class Snapshots(HasTraits):
    """Loads the trajectory of the run on screen, once somebody looks.

    Parameters
    ----------
    state : AppState
        Whose simulation it follows, and whose tab says whether anybody looks.
    work : Work
        Whose archive has the files.

    Attributes
    ----------
    trajectory : Trajectory or None
        The snapshots.
    simulation : Simulation or None
        The simulation that they are of.
    nothing : str
        Why there are none.
    version : int
        Grows with every change of these.
    """

    trajectory = AnyTrait(None, allow_none=True)
    simulation = AnyTrait(None, allow_none=True)
    nothing = Unicode(FIRST)
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
            self._set(None, None, FIRST)
        elif shown.run_id != self._wanted:
            self._wanted = shown.run_id
            self._set(None, None, LOADING)
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
        self._work.post(self._set, None, None, words.one_line(error))

    def _loaded(self, shown: Simulation, trajectory: Trajectory | None, why: str) -> None:
        if shown.run_id == self._wanted:  # another may have been opened meanwhile
            self._set(shown, trajectory, why)

    def _set(self, shown: Simulation | None, trajectory: Trajectory | None, why: str) -> None:
        with self.hold_trait_notifications():
            self.simulation, self.trajectory, self.nothing = shown, trajectory, why
            self.version += 1
