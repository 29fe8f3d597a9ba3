"""Fetch the results of finished runs."""

from __future__ import annotations

from backend.cluster.here import replies
from backend.cluster.here.dispatch_state import State
from backend.cluster.here.remote_run import RemoteRun
from backend.cluster.problems import REFUSED, ClusterProblem
from backend.runs.run import CANCELLED_REASON
from backend.runs.run_state import RunState
from backend.untrusted import Damaged

ADVICE = (
    "they stay on the cluster: ask its administrators what changed them, or cancel the run to "
    "give it up"
)


def fetch(state: State, finished: list[RemoteRun]) -> None:
    """Store the files of finished runs here, then remove them from the cluster."""
    waiting = {remote.run.id: remote for remote in finished}
    while waiting:
        try:
            found = state.request("fetch", runs=list(waiting))
        except ClusterProblem as problem:
            if problem.name != REFUSED:
                raise
            _fetch_each(state, list(waiting.values()), problem)
            return
        fetched = [waiting.pop(run_id) for run_id in found]
        stored = [remote for remote in fetched if _store(state, remote, found[remote.run.id])]
        if stored:
            state.request("clear", runs=[remote.run.id for remote in stored], jobs=[])
        for remote in stored:
            state.log(f"{remote.run.id}: fetched, {remote.run.state}")
            state.release(remote)
            state.note_change()


def _fetch_each(state: State, refused: list[RemoteRun], problem: ClusterProblem) -> None:
    """Fetch runs one by one after an answer was refused, which may be due to one of them."""
    if len(refused) == 1:
        _refuse(state, refused[0], str(problem))
        return
    for remote in refused:
        fetch(state, [remote])


def _store(state: State, remote: RemoteRun, files: dict[str, str]) -> bool:
    """Write the files of a finished run; return False if that failed."""
    try:
        remote.store_results(replies.result_files(files))
    except Damaged as problem:
        _refuse(state, remote, f"the files of the run were refused ({problem}); {ADVICE}")
        return False
    except OSError as problem:
        state.report_unwritable(remote, problem)
        return False
    remote.update_status(note="")
    return True


def _refuse(state: State, remote: RemoteRun, line: str) -> None:
    """Report that the files of a run were refused; give it up if it is to be cancelled."""
    if remote.run.cancel_requested:
        state.settle(remote, RunState.CANCELLED, CANCELLED_REASON)
    elif remote.update_status(note=line):
        state.log(f"{remote.run.id}: {line}")
