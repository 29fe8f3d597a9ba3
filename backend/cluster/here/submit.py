"""Submit jobs, each exactly once."""

from __future__ import annotations

import shlex
from typing import Any

from backend import __version__
from backend.cluster.config import Cluster
from backend.cluster.here.dispatch_state import State
from backend.cluster.here.jobs import Job
from backend.cluster.here.remote_run import RemoteRun
from backend.cluster.problems import REFUSED, ClusterProblem
from backend.runs.run import CANCELLED_REASON
from backend.runs.run_state import RunState


def was_sent(state: State, remote: RemoteRun) -> bool:
    """Return True if the cluster may have been asked to submit the run's job."""
    job = state.jobs.get(remote.job)
    return job is not None and job.asked


def refuse_other_versions(state: State) -> None:
    """Fail unsent runs requested by another version: this version's worker rejects them."""
    for remote in list(state.runs.values()):
        if remote.run.version != __version__ and not was_sent(state, remote):
            asked_by = remote.run.version or "(unknown)"
            line = (
                f"the run was requested by nanoconf {asked_by}, but version {__version__} is "
                "installed: repeat the run"
            )
            state.settle(remote, RunState.FAILED, line, "other-version")


def submit_jobs(state: State, cluster: Cluster) -> None:
    """Submit all jobs that have no id yet."""
    for job in [job for job in state.jobs.values() if job.job_id is None]:
        if state.has_all_runs(job):  # so that the job is submitted with all of them
            _submit(state, job, cluster)


def _submit(state: State, job: Job, cluster: Cluster) -> None:
    """Submit a job, or find that it has already been submitted.

    An earlier request may have arrived even if no answer came. In that case, only the agent can
    tell that there is no such job.
    """
    members = state.members(job)
    if not job.asked and all(remote.run.cancel_requested for remote in members):
        for remote in members:
            state.settle(remote, RunState.CANCELLED, CANCELLED_REASON)
        state.forget(job)
        return
    if not members:  # nobody needs it any more
        return
    state.connect().prepare()  # if this fails, nothing has been requested yet
    asked_before = job.asked
    if not job.asked:
        job.asked = True
        job.save(state.archive.home)
    try:
        reply = _request(state, job, cluster, [remote.run.request for remote in members])
    except ClusterProblem as problem:
        if problem.passing:
            raise
        if asked_before or problem.name == REFUSED:  # the job may exist
            _report_uncertain(state, job, members, problem)
            return
        reply = {"refused": {"name": problem.name, "line": str(problem)}}
    if "refused" in reply:
        _refuse(state, job, members, reply["refused"])
    else:
        _record(state, job, members, reply["job_id"])


def _request(state: State, job: Job, cluster: Cluster, requests: list[dict[str, Any]]) -> Any:
    return state.request(
        "submit",
        job=job.name,
        runs=job.runs,
        requests=[_needed(request) for request in requests],
        options=job.options(cluster, requests[0]["settings"]["engine"]),
        setup=[*cluster.setup, f"export NANOCONF_MPI={shlex.quote(cluster.mpi)}"],
        tasks=job.tasks,
        threads=job.cores,
        continues={r["id"]: r["continues"] for r in requests if r.get("continues")},
    )


def _needed(request: dict[str, Any]) -> dict[str, Any]:
    """Return what a job needs of a request; who submitted it stays on this computer."""
    return {name: value for name, value in request.items() if name != "owner"}


def _report_uncertain(
    state: State, job: Job, members: list[RemoteRun], problem: ClusterProblem
) -> None:
    """Report why it is unknown whether a job was submitted; other jobs are not affected."""
    if any([remote.update_status(note=f"{problem}; trying again") for remote in members]):
        state.log(f"{job.name}: {problem}")


def _refuse(state: State, job: Job, members: list[RemoteRun], refusal: dict[str, str]) -> None:
    for remote in members:
        line = f"the job was rejected: {refusal['line']}"
        state.settle(remote, RunState.FAILED, line, refusal["name"])
    state.forget(job)


def _record(state: State, job: Job, members: list[RemoteRun], job_id: int) -> None:
    scheduler = state.connect().cluster.scheduler
    job.job_id = job_id
    job.save(state.archive.home)
    state.note_change()
    state.log(f"{job.name}: {scheduler} job {job_id} on {job.cluster}, {len(members)} runs")
    for remote in members:
        remote.update_status(job_id=job_id, state=RunState.QUEUED, reason="submitted", note="")
