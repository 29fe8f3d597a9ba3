"""A run that is under way on a cluster, as its folder here shows it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.cluster import wire
from backend.files import write_json, written_whole
from backend.locks import Lock
from backend.runs.run import Run
from backend.runs.state import RunState

SENDING = "being sent"
"""The note of a run whose job has been made here, until there is something else to say."""

LAST_FILES = ("result.json", "failure.json")


@dataclass
class Watched:
    """What is remembered of an open run.

    Attributes
    ----------
    run : Run
    since : float
        When it came.
    job : str
        Name of its job; empty while it has none.
    stamp : str
        When its progress was written that is known here.
    over_since : float or None
        When its job was first seen to be over without a result of it.
    told : bool
        Whether the cluster has been told to cancel it.
    status : dict
        What ``cluster.json`` says.
    """

    run: Run
    since: float = field(default_factory=time.monotonic)
    job: str = ""
    stamp: str = ""
    over_since: float | None = None
    told: bool = False
    status: dict[str, Any] = field(default_factory=dict)

    def note(self, **words: Any) -> bool:
        """Write down how the run is; whether that is another way than before."""
        status = {"state": RunState.QUEUED, "reason": "", "note": "", **self.status, **words}
        if status == self.status:
            return False
        with contextlib.suppress(OSError):
            write_json(self.run.folder / "cluster.json", status)
            self.status = status
        return True

    def keep_progress(self, found: dict[str, Any]) -> None:
        """Write down the run's progress as its worker would have done here, the log first."""
        folder = self.run.folder
        with contextlib.suppress(OSError):
            _write(folder / "worker.log", found["log"].encode())
            (folder / "partial").mkdir(exist_ok=True)
            for name, content in found["partial"].items():
                _write(folder / "partial" / Path(name).name, wire.as_bytes(content))
            write_json(folder / "progress.json", found["progress"])
            self.stamp = found["progress"]["updated"]

    def add_to_log(self, text: str) -> None:
        """Add what its job wrote to the run's log: there may be why it has no result."""
        with contextlib.suppress(OSError), open(self.run.folder / "worker.log", "a") as log:
            log.write(text)

    def store(self, files: dict[str, str]) -> None:
        """Write the files of the run, which is over; the one that says so comes last."""
        folder = self.run.folder
        lock = Lock(folder / "worker.lock")
        if not lock.acquire(wait_seconds=2.0):
            raise OSError(f"{folder} is in use")
        try:
            for name in _in_order(files):
                _write(folder / name, wire.as_bytes(files[name]))
        finally:
            lock.release()


def _in_order(names: Iterable[str]) -> list[str]:
    """File names without any folder, with those that end the run at the end."""
    plain = [name for name in names if Path(name).name == name]
    return sorted(plain, key=lambda name: (name in LAST_FILES, name))


def _write(path: Path, content: bytes) -> None:
    with written_whole(path) as stream:
        stream.write(content)
