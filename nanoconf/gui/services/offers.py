"""Running simulations that other pages have started."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from nanoconf.gui.state import Offer

if TYPE_CHECKING:
    from nanoconf.gui.services.session import Session

OFFER_SECONDS = 5.0
MAXIMUM_OFFERS = 3


class Offers:
    """Service that offers running simulations to the page until it closes.

    Parameters
    ----------
    session : Session
        The page.
    """

    def __init__(self, session: Session):
        self._session = session
        self._watching = False

    def watch(self) -> None:
        """Poll the archive every few seconds in a thread, which is started once."""
        if not self._watching:
            self._watching = True
            threading.Thread(target=self._poll, daemon=True).start()

    def _poll(self) -> None:
        session = self._session
        while True:
            with suppress(Exception):  # the page says so if a run of its own cannot start
                self._resume_runs()
            try:
                offers = self.find()
            except Exception:  # the next poll may succeed
                offers = ()
            if offers != session.state.offers:
                session.post(setattr, session.state, "offers", offers)
            if session.closed.wait(OFFER_SECONDS):
                return

    def _resume_runs(self) -> None:
        """Start a keeper if there is none for the runs of pages that are closed."""
        from backend.keeper.election import resume_runs

        resume_runs(self._session.archive)

    def find(self) -> tuple[Offer, ...]:
        """Return the interactive runs in progress, newest first, except the one on this page."""
        simulation = self._session.state.simulation
        shown = None if simulation is None else simulation.run_id
        found = []
        for run in self._session.archive.runs():
            if run.id == shown or run.queue != "interactive" or run.finished:
                continue
            progress = run.progress()
            found.append(Offer(run.id, run.system, run.state, progress.fraction if progress else 0))
            if len(found) == MAXIMUM_OFFERS:
                break
        return tuple(found)
