"""Runs on this computer: start and pause their workers in turn, and restart crashed ones."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from backend.files import check_room
from backend.keeper import turns
from backend.keeper.log import log
from backend.keeper.open_runs import job_of
from backend.runs import local
from backend.runs.archive import QUIET_SECONDS
from backend.runs.run import CANCELLED_REASON, DAMAGED, QUEUES, Run
from backend.runs.run_state import RunState
from backend.runs.worker import INTERRUPTED

MAXIMUM_CRASHES = 3

NICENESS = dict(zip(QUEUES, (10, 19), strict=True))
"""Niceness of workers by queue: pages respond during runs, and sweeps hardly delay other runs."""

ROOM_SECONDS = 5.0
"""Interval at which a full disk is checked again (s)."""


@dataclass
class LocalRuns:
    """Open runs on this computer.

    Attributes
    ----------
    open : dict of str to Run
        Runs that are not finished, by ID.
    children : dict of str to Popen
        Workers that this process has started, by ID of the run.
    failed_starts : dict of str to int
        Number of workers that ended before reporting any progress, by ID of the run.
    unwritable : set of str
        IDs of runs that have crashed too often, but whose folder cannot be written to.
    log_once : callable
        Logs a line that every poll would repeat.
    any_finished : bool
        True if a run has finished since this was last reset.
    """

    open: dict[str, Run] = field(default_factory=dict)
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    failed_starts: dict[str, int] = field(default_factory=dict)
    unwritable: set[str] = field(default_factory=set)
    log_once: Callable[[str], None] = log
    any_finished: bool = False
    _full_until: float = 0.0
    _unchanged_since: dict[str, int] = field(default_factory=dict)
    _last_turns: dict[str, float] = field(default_factory=dict)

    def poll(self) -> bool:
        """Check every open run once and start what can be started; return True if any is open."""
        self._reap_workers()
        running, waiting = self._sort()
        if waiting:
            self._take_turns(running, waiting)
        return bool(running or waiting)

    def _reap_workers(self) -> None:
        """Log the exit status of workers that have ended."""
        for run_id, child in list(self.children.items()):
            status = child.poll()
            if status is None:
                continue
            del self.children[run_id]
            run = self.open.get(run_id)
            if run is None or run.state != RunState.QUEUED:
                continue
            log(f"{run_id}: its worker exited with status {status}")
            if status > 0 and status != INTERRUPTED and not run.progress():
                self._count_failed_start(run)

    def _sort(self) -> tuple[list[Run], list[Run]]:
        """Return the running runs and the waiting ones."""
        running, waiting = [], []
        for run in list(self.open.values()):
            try:
                state = self._state(run)
            except OSError as error:
                self.log_once(f"{run.id}: {error}")
                continue
            if state == RunState.RUNNING or run.id in self.children:
                running.append(run)
            elif run.error == DAMAGED:  # it may be repaired
                self.log_once(damage_line(run))
            elif state != RunState.QUEUED:
                del self.open[run.id]
                self.any_finished = True
            elif run.id not in self.unwritable:
                waiting.append(run)
        return running, waiting

    def _state(self, run: Run) -> RunState:
        """Return the state; for the many runs that are only waiting, one timestamp is enough."""
        stamp = os.stat(run.folder).st_mtime_ns
        if self._unchanged_since.get(run.id) == stamp:
            return RunState.QUEUED
        if run.cancel_requested:
            run.settle(RunState.CANCELLED, CANCELLED_REASON)
        state = run.state
        untouched = time.time() - stamp / 1e9 > QUIET_SECONDS
        if state == RunState.QUEUED and untouched and not (run.folder / "worker.lock").exists():
            self._unchanged_since[run.id] = stamp
        return state

    def _take_turns(self, running: list[Run], waiting: list[Run]) -> None:
        """Start the waiting runs whose turn it is, and pause the running ones that make room."""
        at, runs = time.time(), {run.id: run for run in (*running, *waiting)}
        jobs = [job_of(run, running=True, at=at) for run in running]
        jobs += [job_of(run, running=False, at=at) for run in waiting]
        due = turns.next_turns(jobs, local.cores(), at, self._last_turns)
        by_id = {job.id: job for job in jobs}
        for run_id in due.start:
            if not self._has_room(runs[run_id]):
                return
            if self._start(runs[run_id], by_id[run_id].cores):
                self._last_turns[by_id[run_id].owner] = at
        for run_id in due.pause:
            if self._has_room(runs[run_id]):
                self._pause(runs[run_id])

    def _pause(self, run: Run) -> None:
        try:
            run.pause()
        except OSError as error:
            self.log_once(f"{run.id}: cannot be paused: {error}")
            return
        log(f"{run.id}: asked to make room for another run")

    def _has_room(self, run: Run) -> bool:
        """Return True if the disk has room for a run; on a full disk no run starts."""
        if time.monotonic() < self._full_until:
            return False
        try:
            check_room(run.folder.parent)
        except OSError as error:
            if not self._full_until:  # once, because the log takes room too
                log(f"no run can start: {error}")
            self._full_until = time.monotonic() + ROOM_SECONDS
            return False
        self._full_until = 0.0
        return True

    def _start(self, run: Run, threads: int) -> bool:
        self._unchanged_since.pop(run.id, None)
        if run.state != RunState.QUEUED:
            return False
        crashes = run.crashes() + self.failed_starts.get(run.id, 0)
        if crashes >= MAXIMUM_CRASHES:
            self._give_up(run, crashes)
            return False
        try:
            child = local.start(run.folder, threads=threads, niceness=NICENESS[run.queue])
        except OSError as error:
            log(f"{run.id}: cannot be started: {error}")
            self._count_failed_start(run)
            return False
        self.children[run.id] = child
        log(f"{run.id}: started, process {child.pid}")
        return True

    def _count_failed_start(self, run: Run) -> None:
        self.failed_starts[run.id] = self.failed_starts.get(run.id, 0) + 1

    def _give_up(self, run: Run, crashes: int) -> None:
        reason = (
            f"the simulation process died {crashes} times without a message, perhaps because "
            "it ran out of memory: see worker.log in the run folder, or try a smaller system"
        )
        try:
            run.settle(RunState.FAILED, reason, "\n".join(run.log_tail(20)), "crashed")
        except OSError as error:
            log(f"{run.id}: {error}")
            self.unwritable.add(run.id)


def damage_line(run: Run) -> str:
    """Return the log line for a run whose folder is damaged."""
    return f"{run.id}: damaged: {run.damage()} ({run.folder})"
