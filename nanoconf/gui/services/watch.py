"""Polling of the run on screen, in a thread that reports to the state."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from backend.keeper.open_runs import Wait, wait_of
from backend.runs.archive import UnusableHome
from backend.runs.run import LOCAL
from backend.runs.run_state import RunState
from nanoconf.gui import words
from nanoconf.gui.services.reading import read
from nanoconf.gui.state import Simulation

if TYPE_CHECKING:
    from backend.runs.run import Run
    from nanoconf.gui.services.session import Session

POLL_SECONDS = 0.4
PROFILE_SECONDS = 1.0
WAIT_SECONDS = 2.0
KEEPER_SECONDS = 5.0
LOG_TAIL = 60


class Watch:
    """Service that reports on a run until it ends or another run is watched.

    Parameters
    ----------
    session : Session
        The page.
    """

    def __init__(self, session: Session):
        self._session = session
        self._number = 0

    def begin(self, run: Run, *, new: bool = False, read_only: bool = False) -> None:
        """Watch a run instead of the previous one.

        Parameters
        ----------
        run : Run
            The run.
        new : bool
            True if the request has just created it, so its result is not a stored one.
        read_only : bool
            True if it was opened from a link.
        """
        first = Simulation(
            run.id,
            run.system,
            run.settings,
            submitter=self._session.identity.submitter(run),
            read_only=read_only,
            joined=run.joined,
            stored=not new and run.state == RunState.DONE,
            where="" if run.where == LOCAL else run.where,
        )
        self._number += 1
        report = _Report(self._session, run, first)
        threading.Thread(target=self._follow, args=(report, self._number), daemon=True).start()

    def stop(self) -> None:
        """Stop watching; the run continues."""
        self._number += 1

    def detach(self) -> None:
        """Stop watching, and clear the simulation from the page."""
        self.stop()
        self._session.state.detach()

    def _follow(self, report: _Report, number: int) -> None:
        while number == self._number:
            try:
                report.update()
            except Exception as error:
                problem = f"The run cannot be read: {words.one_line(error)}"
                self._session.post(self._show_problem, problem, number)
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

    def _show_problem(self, problem: str, number: int) -> None:
        if number == self._number:
            self.detach()
            self._session.state.report_failure(problem)


class _Report:
    """Reader of a watched run; it reads profiles and waits, and checks the keeper, less often."""

    def __init__(self, session: Session, run: Run, simulation: Simulation):
        self._archive = session.archive
        self.run, self.simulation = run, simulation
        self._profiles_read = self._wait_read = self._keeper_checked = float("-inf")

    def update(self) -> None:
        """Read the run again, and ensure that a keeper is running."""
        now = time.monotonic()
        profiles = now - self._profiles_read >= PROFILE_SECONDS
        self.simulation = read(self.run, self.simulation, profiles=profiles)
        if profiles:
            self._profiles_read = now
        if now - self._wait_read >= WAIT_SECONDS:
            self.simulation = replace(self.simulation, wait=self._wait())
            self._wait_read = now
        if self.simulation.active and now - self._keeper_checked >= KEEPER_SECONDS:
            self.simulation = replace(self.simulation, obstacle=self._ensure_keeper())
            self._keeper_checked = now

    def _ensure_keeper(self) -> str:
        """Start a keeper if there is none; return the reason if the run cannot be executed."""
        from backend.keeper.election import ensure_keeper

        try:
            ensure_keeper(self._archive.home, any_environment=self._keeper_checked > 0)
            self._archive.check_room()
        except UnusableHome as error:
            return str(error)
        return ""

    def _wait(self) -> Wait | None:
        """Return its place in the line of this computer; None if it is not queued there."""
        if self.simulation.state != RunState.QUEUED or self.simulation.where:
            return None
        return wait_of(self._archive, self.run)
