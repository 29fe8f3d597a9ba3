"""Follows one run, from a thread of its own, and reports to the state."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from backend.runs.run import LOCAL
from backend.runs.state import RunState
from nanoconf.gui import words
from nanoconf.gui.services.reading import read
from nanoconf.gui.state import Simulation

if TYPE_CHECKING:
    from backend.runs.run import Run
    from nanoconf.gui.services.session import Session

POLL_SECONDS = 0.4
PROFILE_SECONDS = 1.0
KEEPER_SECONDS = 5.0
LOG_TAIL = 60


class Watch:
    """Reports on a run until it is over or another one is watched.

    Parameters
    ----------
    session : Session
        The page.
    """

    def __init__(self, session: Session):
        self._session = session
        self._number = 0

    def begin(self, run: Run, *, mine: bool, new: bool = False) -> None:
        """Watch a run in place of the one before; `new`: it was submitted just now."""
        first = Simulation(
            run.id,
            run.system,
            run.settings,
            mine=mine,
            joined=run.joined,
            stored=not new and run.state == RunState.DONE,
            where="" if run.where == LOCAL else run.where,
        )
        self._number += 1
        report = _Report(self._session, run, first)
        threading.Thread(target=self._follow, args=(report, self._number), daemon=True).start()

    def stop(self) -> None:
        """Watch no run; the one that was watched goes on."""
        self._number += 1

    def leave(self) -> None:
        """Stop, and clear the simulation from the page."""
        self.stop()
        self._session.state.leave()

    def _follow(self, report: _Report, number: int) -> None:
        while number == self._number:
            try:
                report.update()
            except Exception as error:
                trouble = f"The run cannot be read: {words.one_line(error)}"
                self._session.post(self._show_trouble, trouble, number)
                return
            log = tuple(report.run.log_tail(LOG_TAIL))
            self._session.post(self._show, report.simulation, log, number)
            if not report.simulation.active or self._session.closed.wait(POLL_SECONDS):
                return

    def _show(self, simulation: Simulation, log: tuple[str, ...], number: int) -> None:
        if number != self._number:
            return
        state = self._session.state
        if log != state.worker_log:
            state.worker_log = log
        state.show(simulation)

    def _show_trouble(self, what: str, number: int) -> None:
        if number == self._number:
            self.leave()
            self._session.state.fail(what)


class _Report:
    """What is known of a watched run; profiles and keeper are looked at less often."""

    def __init__(self, session: Session, run: Run, simulation: Simulation):
        self._archive = session.archive
        self.run, self.simulation = run, simulation
        self._profiled = self._kept = float("-inf")

    def update(self) -> None:
        """Read the run again, and see that somebody works on it."""
        now = time.monotonic()
        profiles = now - self._profiled >= PROFILE_SECONDS
        self.simulation = read(self.run, self.simulation, profiles=profiles)
        if profiles:
            self._profiled = now
            self.simulation = replace(self.simulation, ahead=self._ahead())
        if self.simulation.active and now - self._kept >= KEEPER_SECONDS:
            self._ensure_keeper()
            self._kept = now

    def _ensure_keeper(self) -> None:
        from backend.runs.keeper import ensure_keeper

        ensure_keeper(self._archive.home)

    def _ahead(self) -> int:
        """Number of runs that wait before it for a free processor of this computer."""
        if self.simulation.state != RunState.QUEUED or self.simulation.where:
            return 0
        return self._archive.ahead_of(self.run)
