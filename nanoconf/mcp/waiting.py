"""Waiting for a run: its progress, and a keeper that executes it."""

from __future__ import annotations

import time
from collections.abc import Callable

from backend.keeper.election import REELECTION_SECONDS, ensure_keeper
from backend.runs.archive import Archive
from backend.runs.run import DamagedRun, Run

POLL_SECONDS = 0.5


class Waiting:
    """Poll of a run that somebody is waiting for.

    Parameters
    ----------
    archive : Archive
        The archive of the run.
    run : Run
        The run.
    clock : callable
        Returns the time in seconds.

    Attributes
    ----------
    fraction : float
        Completed fraction; it never decreases.
    words : str
        Phase of the run.
    news : bool
        True if the last poll found progress.
    """

    def __init__(self, archive: Archive, run: Run, clock: Callable[[], float] = time.monotonic):
        self.fraction, self.words, self.news = -1.0, "", False
        self._archive, self._run, self._clock = archive, run, clock
        self._keeper_checked = clock()

    def poll(self) -> bool:
        """Read the run; return True once it has finished.

        Raises
        ------
        DamagedRun
            The run has been removed.
        UnusableHome
            The archive folder cannot be written to.
        """
        if self._run.finished:
            return True
        if not (self._run.folder / "run.json").exists():
            raise DamagedRun(f"run {self._run.id} has been removed")
        if self._clock() - self._keeper_checked >= REELECTION_SECONDS:
            self._keeper_checked = self._clock()
            ensure_keeper(self._archive.home, any_environment=True)
            self._archive.check_room()
        self._read()
        return False

    def _read(self) -> None:
        progress = self._run.progress()
        fraction = progress.fraction if progress else 0.0
        self.news = fraction > self.fraction
        self.fraction = max(fraction, self.fraction)
        self.words = progress.phase if progress else self._run.state.value
