"""Update the status of submitted runs, and determine how those without a result ended."""

from __future__ import annotations

import time
from typing import Any

from backend.cluster.here import endings, fetch
from backend.cluster.here.dispatch_state import State
from backend.cluster.here.endings import JOB_FAILED, Ending
from backend.cluster.here.jobs import Job
from backend.cluster.here.remote_run import RemoteRun
from backend.runs.run import CANCELLED_REASON, QUEUES
from backend.runs.run_state import RunState

GRACE_SECONDS = 3.0
"""Time to wait for a result after a job has ended (s): files may be delayed."""

MAXIMUM_TRIES = 3
"""Maximum number of jobs for a run of a sweep, not counting those that ended before its turn."""

MAXIMUM_JOBS = 10
"""Maximum number of jobs for a run of a sweep in total."""


def poll(state: State) -> None:
    """Request the status of jobs and runs, and fetch the results of finished runs."""
    numbers = {job.name: job.job_id for job in state.jobs.values() if job.job_id is not None}
    sent = {name: state.jobs[name] for name in numbers}
    known = {r.run.id: r.stamp for r in state.runs.values() if r.job in sent}
    if not known:
        return
    found = state.request("poll", jobs=numbers, runs=known)
    cluster = state.connect().cluster
    numbers = found["numbers"]
    for job in sent.values():
        _follow(state, job, numbers[job.name])
    finished = []
    for run_id in known:
        remote = state.runs[run_id]
        if found["runs"][run_id]["over"]:
            finished.append(remote)
            continue
        job = sent[remote.job]
        index = job.index(run_id)
        task = endings.of_task(found["tasks"][job.name], index)
        stopped_by = found["ended"][job.name].get(str(index), "")
        may_be_silent = cluster.submit and len(job.runs) == 1
        _update_status(state, remote, found["runs"][run_id], task, may_be_silent)
        end = endings.ending(task, stopped_by, numbers[job.name], job.minutes, cluster.scheduler)
        _handle_ending(state, remote, job, end)
    fetch.fetch(state, finished)


def _follow(state: State, job: Job, number: int) -> None:
    """Switch to the job that has claimed the runs, in case two jobs have this name."""
    if number == job.job_id:
        return
    state.log(f"{job.name}: Slurm job {number}, not {job.job_id}, has claimed its runs")
    job.job_id = number
    job.save(state.archive.home)
    for remote in state.members(job):
        remote.update_status(job_id=number)


def _update_status(
    state: State,
    remote: RemoteRun,
    found: dict[str, Any],
    task: dict[str, str],
    may_be_silent: bool,
) -> None:
    """Update ``cluster.json`` and the progress of a run, which some hubs do not report."""
    slurm = task.get("state", "")
    begun = bool(remote.stamp or found.get("progress")) or may_be_silent
    working = slurm in endings.WORKING
    reason = task.get("reason", "None")
    status = {
        "state": RunState.RUNNING if working and begun else RunState.QUEUED,
        "slurm": slurm,
        "reason": "" if working or reason == "None" else reason,
    }
    changed = any(remote.status.get(key) != value for key, value in status.items())
    note = "" if begun or not working else "waiting for its turn in the job"
    remote.update_status(**status, note=note)
    if "progress" in found:
        remote.store_progress(found)
    if changed:  # notes alone come and go with each poll of a slow host
        state.note_change()


def _handle_ending(state: State, remote: RemoteRun, job: Job, end: Ending | None) -> None:
    """End or resubmit a run a few seconds after its job has ended."""
    if end is None:
        remote.over_since = None
        return
    state.note_change()
    if remote.over_since is None:
        remote.over_since = time.monotonic()
    if time.monotonic() - remote.over_since < GRACE_SECONDS:
        return
    if remote.run.cancel_requested:
        state.settle(remote, RunState.CANCELLED, CANCELLED_REASON)
    elif not _resubmit(state, remote, job, end):
        log = state.request("log", job=job.name, task=job.index(remote.run.id))
        remote.append_log(log)
        state.settle(remote, end.state, end.reason, end.error)


def _resubmit(state: State, remote: RemoteRun, job: Job, end: Ending) -> bool:
    """Resubmit a run of a sweep in another job, unless it has been tried too often."""
    tried = bool(remote.stamp) or end.error == JOB_FAILED  # else its turn had not come
    tries = remote.status.get("tries", 0) + tried
    sent = remote.status.get("sent", 0) + 1
    if not end.again or remote.run.queue == QUEUES[0]:
        return False
    if tries >= MAXIMUM_TRIES or sent >= MAXIMUM_JOBS:
        return False
    remote.job, remote.over_since, remote.stamp = "", None, ""
    job.runs = [run_id if run_id != remote.run.id else "" for run_id in job.runs]
    job.save(state.archive.home)
    note = f"to be resubmitted: {end.reason}"
    remote.update_status(state=RunState.QUEUED, note=note, tries=tries, sent=sent)
    state.log(f"{remote.run.id}: {note}")
    return True
