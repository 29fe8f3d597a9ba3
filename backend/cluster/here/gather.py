"""Gather runs into jobs."""

from __future__ import annotations

import time
from typing import Any

from backend.cluster.config import Cluster
from backend.cluster.here.dispatch_state import State
from backend.cluster.here.jobs import Job
from backend.cluster.here.remote_run import SENDING, RemoteRun
from backend.runs.run import QUEUES

GATHER_SECONDS = 2.0
"""Runs of a sweep are gathered until none has arrived for this long (s)."""

MAXIMUM_RUNS = 2000
"""Maximum number of runs in one job."""


def find_jobs(state: State) -> None:
    """Assign runs to the jobs that list them; the keeper may have been killed before it did so."""
    for job in state.jobs.values():
        for remote in state.members(job):
            if not remote.job:
                remote.job = job.name
                remote.update_status(cluster=state.cluster_name, job=job.name)


def make_jobs(state: State, cluster: Cluster) -> None:
    """Create jobs for runs without one: one per interactive run, shared ones for sweeps."""
    without = [remote for remote in state.runs.values() if not remote.job]
    for remote in [remote for remote in without if remote.run.queue == QUEUES[0]]:
        _make_job(state, cluster, [remote])
    gathered = [remote for remote in without if remote.run.queue != QUEUES[0]]
    if not gathered:
        return
    quiet = time.monotonic() - max(remote.arrived for remote in gathered)
    if quiet < GATHER_SECONDS and len(gathered) < MAXIMUM_RUNS:
        return
    for alike in _by_cores_and_engine(gathered):
        for first in range(0, len(alike), MAXIMUM_RUNS):
            for share in _shares(cluster, alike[first : first + MAXIMUM_RUNS]):
                _make_job(state, cluster, share)


def _shares(cluster: Cluster, runs: list[RemoteRun]) -> list[list[RemoteRun]]:
    """Divide runs into jobs: one array, or several jobs where there are no arrays."""
    count = 1 if cluster.arrays else min(len(runs), cluster.max_tasks)
    return [runs[i::count] for i in range(count)]


def _by_cores_and_engine(runs: list[RemoteRun]) -> list[list[RemoteRun]]:
    groups: dict[tuple[Any, ...], list[RemoteRun]] = {}
    for remote in runs:
        key = (remote.run.resources["cores"], remote.run.request["settings"]["engine"])
        groups.setdefault(key, []).append(remote)
    return list(groups.values())


def _make_job(state: State, cluster: Cluster, members: list[RemoteRun]) -> None:
    job = Job.of(cluster, [remote.run for remote in members])
    job.save(state.archive.home)
    state.jobs[job.name] = job
    for remote in members:
        remote.job = job.name
        remote.update_status(cluster=state.cluster_name, job=job.name, note=SENDING)
