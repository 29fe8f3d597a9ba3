"""Everything that takes time, behind one object that the panels call.

Nothing here runs on the kernel's main thread, so the page stays live; whatever touches the state is
handed to `post`, which runs it there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from nanoconf.gui.services import reading
from nanoconf.gui.services.answers import Answers
from nanoconf.gui.services.clusters import ClusterChoice
from nanoconf.gui.services.estimate import TimeEstimate
from nanoconf.gui.services.offers import Offers
from nanoconf.gui.services.requests import RunRequests
from nanoconf.gui.services.session import Post, Session, on_this_thread
from nanoconf.gui.services.stored import StoredResults
from nanoconf.gui.services.watch import Watch

if TYPE_CHECKING:
    from backend.runs.archive import Archive
    from nanoconf.gui.state import AppState, Offer


class Work(Session):
    """A page's session with all its services.

    Attributes
    ----------
    answers : Answers
        Predictions and mean-field theory.
    deliver : callable
        Hands a file to the browser: name, content, media type.
    """

    def __init__(
        self,
        state: AppState,
        archive: Archive | None = None,
        post: Post = on_this_thread,
    ):
        super().__init__(state, archive, post)
        self.deliver: Callable[[str, bytes, str], None] = lambda _name, _content, _kind: None
        self.answers = Answers(state, self.post)
        self._watch = Watch(self)
        self._requests = RunRequests(self, self._watch)
        self._estimate = TimeEstimate(self)
        self._stored = StoredResults(self)
        self._clusters = ClusterChoice(state)
        self._offers = Offers(self)

    def close(self) -> None:
        """Stop watching; runs go on."""
        self._watch.stop()
        self.answers.close()
        super().close()

    def resume(self, last_run: str, *, predicted: bool) -> None:
        """Go on where this browser left off: its simulation, its prediction."""
        if predicted:
            self.answers.refresh()
        self._stored.refresh()
        self._requests.resume(last_run)

    # --- the simulation ---------------------------------------------------------------------

    def run(self) -> None:
        """Ask for a simulation of the inputs on screen."""
        self._requests.submit()

    def cancel(self) -> None:
        """End the simulation; one of another browser only when asked twice."""
        self._requests.cancel()

    def finish(self) -> None:
        """End the simulation with the result so far."""
        self._requests.finish()

    def leave(self) -> None:
        """Stop watching the simulation; it goes on."""
        self._watch.leave()

    def attach(self, run_id: str) -> None:
        """Show a run of the archive, and watch it while it goes on."""
        self._requests.attach(run_id)

    def trajectory_names(self) -> list[str]:
        """Names of the files with snapshots of the simulation on screen."""
        return reading.trajectory_names(self.archive, self.state.simulation)

    def run_file(self, name: str) -> bytes:
        """A file of the simulation on screen."""
        return (self.archive.folder / self.state.simulation.run_id / name).read_bytes()

    # --- around it --------------------------------------------------------------------------

    def calibrate(self) -> None:
        """Correct the time estimate by the speed of the last simulation on this computer."""
        self._estimate.calibrate()

    def cluster_mode(self, wanted: bool) -> None:
        """Simulate on a cluster, where one may be used; else say what to do."""
        self._clusters.choose(wanted)

    def watch_archive(self) -> None:
        """Offer the simulations in progress that other pages have started."""
        self._offers.watch()

    def offers(self) -> tuple[Offer, ...]:
        """Simulations in progress that other pages have started, the newest first."""
        return self._offers.find()
