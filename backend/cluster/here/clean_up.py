"""Cleaning up: forget jobs of which all runs are over, here and on the cluster."""

from __future__ import annotations

from backend.cluster.here.state import State
from backend.runs.archive import RESUMABLE_ERRORS, UnknownRun


def clean_up(state: State) -> None:
    """Remove finished jobs, and the folders of their runs on the cluster."""
    over = [
        job
        for job in state.jobs.values()
        if not state.members(job) and all(_is_over(state, run_id) for run_id in job.runs)
    ]
    if not over:
        return
    unwanted = [
        job.job_id
        for job in over
        if job.job_id and any(_is_removed(state, run_id) for run_id in job.runs)
    ]
    if unwanted:
        state.request("cancel", runs=[], jobs=unwanted)
    runs = [run_id for job in over for run_id in job.runs if _is_disposable(state, run_id)]
    state.request("clear", runs=runs, jobs=[job.name for job in over])
    for job in over:
        state.forget(job)


def _is_over(state: State, run_id: str) -> bool:
    """Return True for a finished or removed run, False for one that the keeper has yet to add."""
    if not run_id or _is_removed(state, run_id):
        return True
    try:
        return state.archive.get(run_id).finished
    except UnknownRun:
        return False


def _is_removed(state: State, run_id: str) -> bool:
    """Return True if a run was removed, but not while the whole archive is out of reach."""
    folder = state.archive.folder
    return folder.is_dir() and not (folder / run_id).exists()


def _is_disposable(state: State, run_id: str) -> bool:
    """Return True if nothing on the cluster is needed any more, not even a checkpoint."""
    try:
        run = state.archive.get(run_id)
    except UnknownRun:
        return bool(run_id)
    return run.finished and run.error not in RESUMABLE_ERRORS
