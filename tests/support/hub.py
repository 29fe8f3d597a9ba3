"""A hub whose command ``submit`` is the stand-in, with what tests ask of it."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Any

import psutil

from tests.support import submit_stand_in
from tests.support.desk import setup, write_entry
from tests.support.homes import kill, running, until

NAME = "hub"


class Hub:
    """The stand-in for ``submit`` on PATH, and the folder of its runs.

    Parameters
    ----------
    folder : Path
    monkeypatch : MonkeyPatch
    """

    def __init__(self, folder: Path, monkeypatch: Any):
        self.folder = folder / "runs"
        self.folder.mkdir(parents=True)
        program = folder / "bin" / "submit"
        program.parent.mkdir()
        words = shlex.join([sys.executable, "-S", submit_stand_in.__file__, str(self.folder)])
        program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setattr(submit_stand_in, "ROOT", self.folder)

    def records(self) -> list[dict[str, Any]]:
        """Return what the hub knows of all runs."""
        return [{**record.read(), "number": record.number} for record in submit_stand_in.records()]

    def submissions(self, job: str) -> int:
        """Return how many runs of a job were ever submitted."""
        name = "".join(filter(str.isalnum, job))
        return sum(record["runName"] == name for record in self.records())

    def scratch(self, run_id: str) -> Path:
        """Return the folder of a run at the venue, where its last job has it."""
        found = self.folder.glob(f"*/scratch/nanoconf-work/runs/{run_id}")
        return max(found, default=self.folder / run_id, key=lambda p: int(p.parents[3].name))

    def mute(self, wanted: bool = True) -> None:
        """Let every command wait."""
        mark = self.folder / "mute"
        mark.touch() if wanted else mark.unlink()

    def reach_time_limit(self) -> None:
        """End all jobs at once, as a venue does after their time."""
        for record in self.records():
            (self.folder / str(record["number"]) / "late").touch()

    def processes(self, option: str = "") -> list[psutil.Process]:
        """Return the processes of the stand-in, or those with an option."""
        found = running(str(self.folder))
        return [process for process in found if not option or option in process.info["cmdline"]]

    def close(self) -> None:
        """End all jobs and processes."""
        for record in self.records():
            (self.folder / str(record["number"]) / "kill").touch()
        (self.folder / "mute").unlink(missing_ok=True)
        until(
            lambda: all(record["state"] in submit_stand_in.OVER for record in self.records()),
            "the hub's jobs to end",
        )
        kill(self.processes())


def write_config(path: Path, **changes: Any) -> Path:
    """Describe the hub in a file; its Python is the one of these tests."""
    entry = {
        "submit": True,
        "max_walltime_minutes": 60,
        "python": sys.executable,
        "setup": setup(),
    }
    return write_entry(path, NAME, {**entry, **changes})
