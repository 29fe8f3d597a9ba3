"""All background services behind one object, which the panels call.

The services run in threads, so that the page stays responsive. Changes to the state go through
`post`, which runs them on the kernel's main thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nanoconf.gui.services import reading
from nanoconf.gui.services.answers import Answers
from nanoconf.gui.services.clusters import ClusterChoice
from nanoconf.gui.services.engines import EngineOffers
from nanoconf.gui.services.estimate import TimeEstimate
from nanoconf.gui.services.offers import Offers
from nanoconf.gui.services.requests import RunRequests
from nanoconf.gui.services.session import Post, Session, on_this_thread
from nanoconf.gui.services.stored import StoredResults
from nanoconf.gui.services.visitor import NOBODY, Visitor
from nanoconf.gui.services.watch import Watch

if TYPE_CHECKING:
    from backend.runs.archive import Archive
    from nanoconf.gui.state import AppState, Offer


class Work(Session):
    """Session of a page with all its services.

    Attributes
    ----------
    answers : Answers
        Predictions and mean-field theory.
    """

    def __init__(
        self,
        state: AppState,
        archive: Archive | None = None,
        post: Post = on_this_thread,
        visitor: Visitor = NOBODY,
    ):
        super().__init__(state, archive, post, visitor)
        self.answers = Answers(state, self.post)
        self._watch = Watch(self)
        self._requests = RunRequests(self, self._watch)
        self._estimate = TimeEstimate(self)
        self._stored = StoredResults(self)
        self._clusters = ClusterChoice(state)
        self._engines = EngineOffers(self)
        self._offers = Offers(self)

    def close(self) -> None:
        """Stop all services; runs continue."""
        self._watch.stop()
        self.answers.close()
        super().close()

    def resume(self, last_run: str, linked: str = "") -> None:
        """Restore the simulation that this browser showed last, or show the one of a link."""
        self._stored.refresh()
        if linked:
            self._requests.follow(linked, last_run)
        else:
            self._requests.resume(last_run)

    # --- the simulation ---------------------------------------------------------------------

    def run(self) -> None:
        """Submit a simulation for the inputs."""
        self._requests.submit()

    def cancel(self) -> None:
        """Cancel the simulation, if it belongs to this browser."""
        self._requests.cancel()

    def finish(self) -> None:
        """Stop the simulation and keep the result so far, if it belongs to this browser."""
        self._requests.finish()

    def detach(self) -> None:
        """Stop watching the simulation, which continues in the background."""
        self._watch.detach()

    def attach(self, run_id: str) -> None:
        """Display a run from the archive, and watch it until it ends."""
        self._requests.attach(run_id)

    def trajectory_names(self) -> list[str]:
        """Return the names of the trajectory files of the simulation on screen."""
        return reading.trajectory_names(self.archive, self.state.simulation)

    def run_file(self, name: str) -> bytes:
        """Return the content of a file of the simulation on screen."""
        return (self.archive.folder / self.state.simulation.run_id / name).read_bytes()

    # --- other services ---------------------------------------------------------------------

    def calibrate(self) -> None:
        """Scale the time estimate by the speed of the last simulation on this computer."""
        self._estimate.calibrate()

    def find_engines(self) -> None:
        """Look for the engines that can simulate on this computer."""
        self._engines.find()

    def cluster_mode(self, wanted: bool) -> None:
        """Switch Cluster mode on or off; without a usable cluster, it stays off with a note."""
        self._clusters.choose(wanted)

    def watch_archive(self) -> None:
        """Offer the running simulations that other pages have started."""
        self._offers.watch()

    def offers(self) -> tuple[Offer, ...]:
        """Return the running simulations that other pages have started, newest first."""
        return self._offers.find()
