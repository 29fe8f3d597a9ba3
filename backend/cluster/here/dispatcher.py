"""Dispatcher of a cluster: the keeper's thread that submits, polls and fetches its runs.

All its state is in the job files here, in the folders on the cluster, and in Slurm or ``submit``.
It can therefore be killed at any moment, and no job is submitted twice.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from backend.cluster.here import cancel, clean_up, gather, intervals, poll, submit
from backend.cluster.here.clients import Client
from backend.cluster.here.dispatch_state import State
from backend.cluster.here.remote_run import RemoteRun
from backend.cluster.problems import ClusterProblem
from backend.cluster.ssh.login import Ask
from backend.cluster.waiting import Say, nobody
from backend.runs.archive import Archive
from backend.runs.run import Run
from backend.runs.run_state import RunState

IDLE_SECONDS = 30.0
HOLD_SECONDS = 12 * 3600.0
"""Time for which a connection with an interactive login is held without a run (s)."""

CANCEL_CHECK_SECONDS = 0.5


class Dispatcher(threading.Thread):
    """Submits the runs of a home to a cluster, polls them and fetches their results.

    Parameters
    ----------
    archive : Archive
        The archive that the runs belong to.
    name : str
        The cluster's name.
    config_file : Path
        The file that describes it.
    log : callable
        Writes a line to the keeper's log.
    """

    def __init__(
        self, archive: Archive, name: str, config_file: Path, log: Callable[[str], None]
    ) -> None:
        super().__init__(name=f"cluster {name}", daemon=True)
        self.state = State(archive, name, config_file, log)
        self._arrived: list[Run] = []
        self._new_login: Client | None = None
        self._hold_until = 0.0
        self._wake = threading.Event()
        self._failures = 0

    # --- called from other threads ----------------------------------------------------------

    def add(self, run: Run) -> None:
        """Start managing a run."""
        with self.state.guard:
            self._arrived.append(run)
        self._wake.set()

    def log_in(self, ask: Ask, say: Say = nobody) -> None:
        """Log in, prompting the user and reporting waits; hold the connection."""
        agent = self.state.new_client(self.state.cluster())
        agent.log_in(ask, say)
        with self.state.guard:
            self._new_login, self._hold_until = agent, time.monotonic() + HOLD_SECONDS
        self.state.note_change()
        self._wake.set()

    @property
    def busy(self) -> bool:
        """True while there is an open run, or a connection with an interactive login."""
        with self.state.guard:
            return bool(self._arrived or self.state.runs) or self._holds_login

    @property
    def _holds_login(self) -> bool:
        agent = self._new_login or self.state.agent
        until = self._hold_until
        return agent is not None and agent.is_open and time.monotonic() < until

    # --- the thread -------------------------------------------------------------------------

    def run(self) -> None:
        """Manage runs indefinitely."""
        while True:
            self._wait(self.step())

    def step(self) -> float:
        """Manage all runs once and handle any error; return the pause that follows (s)."""
        try:
            pause = self._look_after_runs()
            self._failures = 0
            return pause
        except ClusterProblem as problem:
            return self._handle(problem)
        except Exception as error:
            self.state.log(f"cluster {self.state.cluster_name}: {traceback.format_exc()}")
            return self._handle(ClusterProblem("unexpected", str(error)))

    def _wait(self, seconds: float) -> None:
        """Wait; return early when a run arrives or is to be cancelled."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._wake.wait(min(left, CANCEL_CHECK_SECONDS)):
                self._wake.clear()
                return
            if cancel.requested(self.state):
                return

    def _look_after_runs(self) -> float:
        state = self.state
        self._use_new_login()
        self._add_arrived()
        if not state.runs:
            clean_up.clean_up(state)
            if not self._holds_login:
                state.disconnect()
            return IDLE_SECONDS
        cluster = state.cluster()
        cancel.settle_unsent(state)
        submit.refuse_other_versions(state)
        gather.make_jobs(state, cluster)
        submit.submit_jobs(state, cluster)
        cancel.cancel(state)
        poll.poll(state)
        clean_up.clean_up(state)
        return intervals.until_next_poll(state)

    def _use_new_login(self) -> None:
        with self.state.guard:
            agent, self._new_login = self._new_login, None
            if agent is not None:
                self.state.use_connection(agent)

    def _add_arrived(self) -> None:
        """Add runs that have arrived, and release those that are finished or removed."""
        state = self.state
        with state.guard:
            arrived, self._arrived = self._arrived, []
            for run in arrived:
                state.runs[run.id] = RemoteRun(run, status=run.cluster_status())
        gather.find_jobs(state)
        for remote in list(state.runs.values()):
            if remote.run.finished or not remote.run.folder.exists():
                state.release(remote)
        if arrived:
            state.note_change()

    def _handle(self, problem: ClusterProblem) -> float:
        """Report a problem; if it is permanent, fail the runs that were never sent."""
        state = self.state
        self._failures += 1
        pause = intervals.after_failures(self._failures)
        if self._failures in (1, 10):
            state.log(f"cluster {state.cluster_name}: {problem}")
        for remote in list(state.runs.values()):
            if problem.passing or submit.was_sent(state, remote):
                remote.update_status(note=f"{problem}; trying again in {pause:.0f} s")
            else:
                state.settle(remote, RunState.FAILED, str(problem), problem.name)
        if not problem.passing:
            for job in [job for job in state.jobs.values() if not job.asked]:
                state.forget(job)
        return pause
