"""Simulations in progress that other pages have started."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from nanoconf.gui.state import Offer

if TYPE_CHECKING:
    from nanoconf.gui.services.session import Session

OFFER_SECONDS = 5.0
MOST_OFFERS = 3


class Offers:
    """Offers them to the page, as long as it lives.

    Parameters
    ----------
    session : Session
        The page.
    """

    def __init__(self, session: Session):
        self._session = session

    def watch(self) -> None:
        """Look for them every few seconds, from a thread."""
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        session = self._session
        while True:
            try:
                offers = self.find()
            except Exception:  # whatever it was, the next look may do
                offers = ()
            if offers != session.state.offers:
                session.post(setattr, session.state, "offers", offers)
            if session.closed.wait(OFFER_SECONDS):
                return

    def find(self) -> tuple[Offer, ...]:
        """Interactive simulations in progress, the newest first, less the one on this page."""
        simulation = self._session.state.simulation
        shown = None if simulation is None else simulation.run_id
        found = []
        for run in self._session.archive.runs():
            if run.id == shown or run.queue != "interactive" or run.finished:
                continue
            progress = run.progress()
            found.append(Offer(run.id, run.system, run.state, progress.fraction if progress else 0))
            if len(found) == MOST_OFFERS:
                break
        return tuple(found)
