"""Cancel runs, before or after their job has been submitted."""

from __future__ import annotations

from backend.cluster.here.dispatch_state import State
from backend.cluster.here.remote_run import RemoteRun
from backend.runs.run import CANCELLED_REASON
from backend.runs.run_state import RunState


def requested(state: State) -> list[RemoteRun]:
    """Return the runs to cancel, except those already reported to the cluster."""
    return [
        remote
        for remote in state.runs.values()
        if remote.run.cancel_requested and not remote.cancel_sent
    ]


def settle_unsent(state: State) -> None:
    """End runs that are to be cancelled and have no job."""
    for remote in list(state.runs.values()):
        if not remote.job and remote.run.cancel_requested:
            state.settle(remote, RunState.CANCELLED, CANCELLED_REASON)


def cancel(state: State) -> None:
    """Ask the cluster to cancel runs, and jobs whose runs are all to be cancelled."""
    waiting = requested(state)
    names = {remote.job for remote in waiting if remote.job in state.jobs}
    jobs = {name: state.jobs[name] for name in names if state.has_all_runs(state.jobs[name])}
    to_cancel = [remote for remote in waiting if remote.job in jobs]
    if not to_cancel:
        return
    whole = [
        job.job_id
        for job in jobs.values()
        if job.job_id is not None and all(r.run.cancel_requested for r in state.members(job))
    ]
    state.request("cancel", runs=[remote.run.id for remote in to_cancel], jobs=whole)
    for remote in to_cancel:
        remote.cancel_sent = True
    state.note_change()
