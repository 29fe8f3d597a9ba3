"""State of the dispatcher of a cluster: open runs, their jobs, and the connection."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.cluster import config
from backend.cluster.config import Cluster
from backend.cluster.here import jobs
from backend.cluster.here.clients import Client, client_of
from backend.cluster.here.jobs import Job
from backend.cluster.here.remote_run import RemoteRun
from backend.cluster.problems import ClusterProblem
from backend.runs.archive import Archive, UnknownRun
from backend.runs.run_state import RunState
from backend.system import InvalidInput


@dataclass
class State:
    """Open runs and jobs of a home on one cluster.

    Everything except the connection can be restored from the home and from the cluster.

    Attributes
    ----------
    archive : Archive
        The archive that the runs belong to.
    cluster_name : str
        The cluster's name.
    config_file : Path
        The file that describes it.
    log : callable
        Writes a line to the keeper's log.
    runs : dict of str to RemoteRun
        Runs that are not finished, by id; changed under `guard`.
    jobs : dict of str to Job
        Jobs with open runs, by name.
    agent : Client or None
        The connection to the cluster's agent.
    last_change : float
        Time of the last change.
    """

    archive: Archive
    cluster_name: str
    config_file: Path
    log: Callable[[str], None]
    runs: dict[str, RemoteRun] = field(default_factory=dict)
    jobs: dict[str, Job] = field(init=False)
    agent: Client | None = None
    last_change: float = field(default_factory=time.monotonic)
    guard: threading.Lock = field(default_factory=threading.Lock)
    _logged: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        home = self.archive.home
        found = jobs.load(home, self.cluster_name, self.config_file)
        self.jobs = {job.name: job for job in found}

    def note_change(self) -> None:
        """Record a change, so that the next poll comes soon."""
        self.last_change = time.monotonic()

    # --- the connection ---------------------------------------------------------------------

    def cluster(self) -> Cluster:
        """Return the cluster as the configuration file describes it now."""
        try:
            return config.get(self.cluster_name, self.config_file)
        except InvalidInput as error:
            raise ClusterProblem("cluster-config", str(error)) from error

    def connect(self) -> Client:
        """Return the connection; a new one if the cluster's description has changed."""
        cluster = self.cluster()
        if self.agent is None or self.agent.cluster != cluster:
            self.use_connection(self.new_client(cluster))
        assert self.agent is not None
        return self.agent

    def new_client(self, cluster: Cluster) -> Client:
        """Return a new client of the cluster's agent."""
        return client_of(cluster, self.archive.home, self.report_waiting)

    def use_connection(self, agent: Client) -> None:
        """Replace the connection."""
        self.disconnect()
        self.agent = agent

    def disconnect(self) -> None:
        """Close the connection."""
        if self.agent is not None:
            self.agent.close()
            self.agent = None

    def request(self, action: str, **arguments: Any) -> Any:
        """Send a request to the cluster's agent; return its reply."""
        return self.connect().request(action, **arguments)

    def report_waiting(self, line: str) -> None:
        """Log a wait, once, and note it in the status of all runs."""
        if line not in self._logged:  # a slow shell is slow at every poll
            self._logged.add(line)
            self.log(f"cluster {self.cluster_name}: {line}")
        for remote in list(self.runs.values()):  # called from other threads, too
            remote.update_status(note=line)

    # --- runs and jobs ----------------------------------------------------------------------

    def members(self, job: Job) -> list[RemoteRun]:
        """Return the open runs of a job."""
        return [self.runs[run_id] for run_id in job.runs if run_id in self.runs]

    def has_all_runs(self, job: Job) -> bool:
        """Return False while an open run of the job has yet to arrive from the keeper."""
        return not any(map(self._is_missing, job.runs))

    def _is_missing(self, run_id: str) -> bool:
        if run_id in self.runs:
            return False
        try:
            return not self.archive.get(run_id).finished
        except UnknownRun:  # removed, or damaged
            return False

    def settle(self, remote: RemoteRun, state: RunState, reason: str, error: str = "") -> None:
        """End a run without a result."""
        detail = "\n".join(remote.run.log_tail(20))
        try:
            settled = remote.run.settle(state, reason, detail, error)
        except OSError as problem:
            self.report_unwritable(remote, problem)
            return
        if settled:
            self.log(f"{remote.run.id}: {state}: {reason}")
        self.release(remote)

    def report_unwritable(self, remote: RemoteRun, problem: OSError) -> None:
        """Report that a run's folder here cannot be used; other runs are not affected."""
        if remote.update_status(note=f"the local run folder cannot be used: {problem}"):
            self.log(f"{remote.run.id}: {problem}")

    def release(self, remote: RemoteRun) -> None:
        """Stop managing a run."""
        with self.guard:
            self.runs.pop(remote.run.id, None)

    def forget(self, job: Job) -> None:
        """Remove a job and its file."""
        self.jobs.pop(job.name, None)
        job.remove(self.archive.home)
