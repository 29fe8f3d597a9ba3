"""Fetch the results of finished runs."""

from __future__ import annotations

from backend.cluster.here.dispatch_state import State
from backend.cluster.here.remote_run import RemoteRun


def fetch(state: State, finished: list[RemoteRun]) -> None:
    """Store the files of finished runs here, then remove them from the cluster."""
    waiting = {remote.run.id: remote for remote in finished}
    while waiting:
        found = state.request("fetch", runs=list(waiting))
        fetched = [waiting.pop(run_id) for run_id in found]
        stored = [remote for remote in fetched if _store(state, remote, found[remote.run.id])]
        state.request("clear", runs=[remote.run.id for remote in stored], jobs=[])
        for remote in stored:
            state.log(f"{remote.run.id}: fetched, {remote.run.state}")
            state.release(remote)
            state.note_change()


def _store(state: State, remote: RemoteRun, files: dict[str, str]) -> bool:
    """Write the files of a finished run; return False if that failed."""
    try:
        remote.store_results(files)
    except OSError as problem:
        state.report_unwritable(remote, problem)
        return False
    remote.update_status(note="")
    return True
