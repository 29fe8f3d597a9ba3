"""Folder of a job that goes through ``submit``: the request and its outcome.

``submit`` runs in processes that outlive the keeper. Each holds a lock, writes to files and leaves
its exit status, so the next keeper finds each run in its current state and submits none twice.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from pathlib import Path
from typing import Any

from backend.cluster.problems import ClusterProblem
from backend.cluster.submit import command
from backend.files import read_json, write_json
from backend.locks import Lock, is_locked

LARGEST_OUTPUT = 1 << 19
"""Maximum size of a file that ``submit`` writes, in units of 512 bytes, as in ``ulimit``."""

SURE_SECONDS = 5.0
"""Time for which a job must be unknown to ``submit`` before it is submitted again (s)."""

START = f"""\
ulimit -f {LARGEST_OUTPUT}
tag=$1; shift
"$@" >>../$tag.out 2>>../$tag.err </dev/null
echo $? >../$tag.part; mv ../$tag.part ../$tag.exit
"""

SUBMIT, ATTACH = "submit", "attach"

KILLED = 128
"""Exit statuses above this one are those of commands that were killed."""

LOG_BYTES = 4096


class JobFolder:
    """A job's folder.

    Parameters
    ----------
    path : Path
        The folder, named after the job.
    """

    def __init__(self, path: Path):
        self.path = path
        self.home = path / "home"
        """Working directory of ``submit``, to which files are returned."""

    # --- processes --------------------------------------------------------------------------

    def start(self, tag: str, words: list[str]) -> subprocess.Popen[bytes] | None:
        """Start a command of ``submit``; return None if it is running already."""
        lock = Lock(self.path / f"{tag}.lock")
        if not lock.acquire():
            return None
        (self.path / f"{tag}.exit").unlink(missing_ok=True)
        try:
            return subprocess.Popen(
                ["sh", "-c", START, "sh", tag, *words],
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=(lock.handle,),  # which holds the lock as long as the command runs
            )
        finally:
            lock.release()

    def runs(self, tag: str) -> bool:
        """Return True while a command is running."""
        return is_locked(self.path / f"{tag}.lock")

    def exit_status(self, tag: str) -> int | None:
        """Return the exit status of a command; None if it has not ended or was killed."""
        with contextlib.suppress(OSError, ValueError):
            return int((self.path / f"{tag}.exit").read_text())
        return None

    def output(self, tag: str) -> str:
        """Return the end of the output of a command, standard error last."""
        return "".join(tail(self.path / f"{tag}.{kind}") for kind in ("out", "err"))

    # --- records ----------------------------------------------------------------------------

    @property
    def described(self) -> dict[str, Any]:
        """Content of ``job.json``: its ``runs``; empty if it cannot be read."""
        return self._read("job.json")

    @property
    def number(self) -> int | None:
        """Number of the run at the hub, once known."""
        return self._read("submitted.json").get("number")

    def record(self, number: int) -> int:
        """Record the number of the run."""
        write_json(self.path / "submitted.json", {"number": number})
        return number

    @property
    def ending(self) -> dict[str, str]:
        """How the job ended: ``state``, ``exit_code``, ``why``; empty while it has not."""
        return self._read("ending.json")

    def end(self, state: str, exit_code: str = "0:0", why: str = "") -> dict[str, str]:
        """Record how the job ended, unless that is known."""
        if not self.ending:
            found = {"state": state, "exit_code": exit_code, "why": why}
            write_json(self.path / "ending.json", found)
        return self.ending

    def _read(self, name: str) -> dict[str, Any]:
        with contextlib.suppress(OSError, ValueError):
            return dict(read_json(self.path / name))
        return {}

    # --- submission -------------------------------------------------------------------------

    @property
    def asked(self) -> bool:
        """True if the job may have been submitted."""
        return (self.path / "submit.out").exists() or self.runs(SUBMIT)

    def submitted(self) -> int | None:
        """Return the number of a job that may have been submitted; None if it certainly was not.

        Raises
        ------
        ClusterProblem
            ``submit-silent``: not known yet; ``submit-refused``: ``submit`` refused the job.
        """
        if self.number is not None:
            return self.number
        if self.runs(SUBMIT):
            raise ClusterProblem("submit-silent", "submit has not accepted the job yet")
        said = self.output(SUBMIT)
        if number := command.number_in(said):
            return self.record(number)
        status = self.exit_status(SUBMIT)
        if status and status <= KILLED:
            line = command.last_line(said) or f"exit status {status}"
            raise ClusterProblem("submit-refused", f"submit: {line}")
        if number := command.find(self.path.name):
            return self.record(number)
        self._make_sure()
        if status == 0:
            line = f"submit accepted the job without giving its number ({command.last_line(said)})"
            raise ClusterProblem("submit-refused", line)
        return None

    def _make_sure(self) -> None:
        """Let some time pass between two queries that find no run."""
        missed = self._read("missed.json").get("time")
        if missed is None:
            write_json(self.path / "missed.json", {"time": time.time()})
        if missed is None or time.time() - missed < SURE_SECONDS:
            raise ClusterProblem("submit-silent", "submit may not have accepted the job")


def tail(path: Path, size: int = LOG_BYTES) -> str:
    """Return the end of a text file; empty if there is none."""
    with contextlib.suppress(OSError), open(path, "rb") as stream:
        stream.seek(max(0, path.stat().st_size - size))
        return stream.read(size).decode("utf-8", "replace")
    return ""
