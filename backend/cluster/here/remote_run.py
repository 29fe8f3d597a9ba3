"""A run that is under way on a cluster, and its folder on this computer."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.files import write_json, written_whole
from backend.locks import Lock
from backend.runs.run import Run
from backend.runs.run_state import RunState

SENDING = "being sent"
"""Note on a run whose job has been created here, until there is something else to report."""

LAST_FILES = ("result.json", "failure.json")


@dataclass
class RemoteRun:
    """An open run on a cluster.

    Attributes
    ----------
    run : Run
    arrived : float
        Time at which the dispatcher received it.
    job : str
        Name of its job; empty while it has none.
    stamp : str
        Timestamp of the last progress received.
    over_since : float or None
        Time at which its job was first found to have ended without a result for the run.
    cancel_sent : bool
        True once the cluster has been asked to cancel it.
    status : dict
        Content of ``cluster.json``.
    """

    run: Run
    arrived: float = field(default_factory=time.monotonic)
    job: str = ""
    stamp: str = ""
    over_since: float | None = None
    cancel_sent: bool = False
    status: dict[str, Any] = field(default_factory=dict)

    def update_status(self, **changes: Any) -> bool:
        """Update ``cluster.json``; return True if anything has changed."""
        status = {"state": RunState.QUEUED, "reason": "", "note": "", **self.status, **changes}
        if status == self.status:
            return False
        with contextlib.suppress(OSError):
            write_json(self.run.folder / "cluster.json", status)
            self.status = status
        return True

    def store_progress(self, found: dict[str, Any]) -> None:
        """Write the run's progress in the same order as a local worker, the log first."""
        folder = self.run.folder
        with contextlib.suppress(OSError):
            _write(folder / "worker.log", found["log"].encode())
            (folder / "partial").mkdir(exist_ok=True)
            for name, content in found["partial"].items():
                _write(folder / "partial" / name, content)
            write_json(folder / "progress.json", found["progress"])
            self.stamp = found["progress"]["updated"]

    def append_log(self, text: str) -> None:
        """Append the job's output to the run's log; it may say why there is no result."""
        with contextlib.suppress(OSError), open(self.run.folder / "worker.log", "a") as log:
            log.write(text)

    def store_results(self, files: dict[str, bytes]) -> None:
        """Write the files of a finished run; the file that marks it as finished comes last.

        Parameters
        ----------
        files : dict of str to bytes
            Content of each file, as `replies.result_files` returns it.
        """
        folder = self.run.folder
        lock = Lock(folder / "worker.lock")
        if not lock.acquire(wait_seconds=2.0):
            raise OSError(f"{folder} is in use")
        try:
            for name in sorted(files, key=lambda name: (name in LAST_FILES, name)):
                _write(folder / name, files[name])
        finally:
            lock.release()


def _write(path: Path, content: bytes) -> None:
    with written_whole(path) as stream:
        stream.write(content)
