"""Stored results: the result of a system that was simulated before is displayed immediately."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nanoconf.gui import words
from nanoconf.gui.services.latest import Latest
from nanoconf.gui.services.reading import read
from nanoconf.gui.state import Simulation

if TYPE_CHECKING:
    from backend.system import SlitSystem
    from nanoconf.gui.services.session import Session


class StoredResults:
    """Service that searches the archive for a result when the inputs change.

    Parameters
    ----------
    session : Session
        The page.
    """

    def __init__(self, session: Session):
        self._session = session
        self._latest = Latest(session.runner, self._find, self._failed)
        session.state.observe(self.refresh, "values")

    def refresh(self, _change: Any = None) -> None:
        """Search again, unless the page already shows a result for its inputs."""
        state = self._session.state
        if state.valid and not state.has_result:
            self._latest.request(state.system, state.settings)

    def _find(self, system: SlitSystem, settings: Any) -> None:
        session = self._session
        run = session.archive.best_result(system, settings)
        if run is not None:
            submitter = session.identity.submitter(run)
            first = Simulation(run.id, run.system, run.settings, submitter=submitter, stored=True)
            session.post(self._show, read(run, first, profiles=True))

    def _failed(self, error: Exception) -> None:
        note = f"A stored result cannot be read: {words.one_line(error)}"
        self._session.post(self._session.state.append_log, note)

    def _show(self, found: Simulation) -> None:
        state = self._session.state
        if not state.has_result and state.is_current(found.system):
            state.show(found)
