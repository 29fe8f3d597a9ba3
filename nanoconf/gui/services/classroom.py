"""Runs of the class, for the teacher's view."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from backend.keeper.open_runs import Wait, waits
from backend.runs.archive import UnknownRun
from backend.runs.run import LOCAL, RUN_ERRORS
from nanoconf.gui import words
from nanoconf.gui.services import permissions

if TYPE_CHECKING:
    from backend.runs.run import Run
    from nanoconf.gui.services.session import Session

ENDING_SECONDS = 120.0
"""Time for cancelled runs to end. On a cluster, it takes the keeper a minute."""

POLL_SECONDS = 0.2


class Classroom:
    """Service for the runs that browsers have submitted. It serves teachers only.

    Parameters
    ----------
    session : Session
        The page.
    """

    def __init__(self, session: Session):
        self._session = session

    def runs(self) -> list[Run]:
        """Return the runs of the class, newest first.

        Raises
        ------
        NotAllowed
            The person at the page is not a teacher.
        """
        permissions.check_teacher(self._session.identity)
        return [run for run in self._session.archive.runs() if permissions.of_class(run)]

    def waits(self) -> dict[str, Wait]:
        """Return the place of each queued run in the queue of this computer, by id."""
        return {wait.run.id: wait for wait in waits(self._session.archive)}

    def clear(self, run_ids: Iterable[str], report: Callable[[str], None]) -> None:
        """Cancel and delete runs of the class in a thread, then report the outcome in one line.

        Raises
        ------
        NotAllowed
            The person at the page is not a teacher.
        """
        permissions.check_teacher(self._session.identity)
        threading.Thread(target=self._clear, args=(tuple(run_ids), report), daemon=True).start()

    def _clear(self, run_ids: tuple[str, ...], report: Callable[[str], None]) -> None:
        try:
            outcome = self._deleted(run_ids)
        except Exception as error:
            outcome = words.one_line(error)
        self._session.post(report, outcome)

    def _deleted(self, run_ids: tuple[str, ...]) -> str:
        """Cancel and delete runs; return the outcome in one line."""
        problems: list[str] = []
        pending = self._cancelled(run_ids, problems)
        asked = len(pending) + len(problems)
        deadline = time.monotonic() + ENDING_SECONDS
        while pending := [run for run in pending if not self._removed(run, problems)]:
            if time.monotonic() > deadline or self._session.closed.wait(POLL_SECONDS):
                break
        problems += ["some are still stopping; try again in a minute"] * len(pending)
        text = f"{words.plural(asked - len(problems), 'run')} deleted."
        if problems:
            text += f" {words.plural(len(problems), 'run')} not deleted: {problems[0]}."
        return text

    def _cancelled(self, run_ids: tuple[str, ...], problems: list[str]) -> list[Run]:
        """Cancel runs, and return them."""
        from backend.keeper.election import ensure_keeper

        session, found = self._session, []
        for run_id in run_ids:
            try:
                run = permissions.clearable(session.archive, session.identity, run_id)
                run.cancel()
                found.append(run)
            except UnknownRun:
                continue  # its browser has deleted it
            except RUN_ERRORS as error:
                problems.append(words.one_line(error).rstrip("."))
        if any(run.where != LOCAL and not run.finished for run in found):
            ensure_keeper(session.archive.home)  # it cancels the jobs
        return found

    def _removed(self, run: Run, problems: list[str]) -> bool:
        """Delete a run if it has ended; return True if there is nothing left to do."""
        try:
            if not (run.folder / "run.json").exists():
                return True
            if not run.finished:
                return False
            run.remove()
        except RUN_ERRORS as error:
            problems.append(words.one_line(error).rstrip("."))
        return True
