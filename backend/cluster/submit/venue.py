"""Program of a job at its venue: ``python -P -m backend.cluster.submit.venue PARCEL MINUTES``.

It unpacks the parcel, executes the job's task (`backend.cluster.node.task`) and reports on the runs
in its standard output. Shortly before the time limit, or when it is told to end, the task writes
checkpoints. The job returns one file, `returned.NAME`.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

from backend.cluster import package
from backend.cluster.node import folders
from backend.cluster.node.task import say
from backend.cluster.submit import reports
from backend.cluster.submit.returned import ENDED, NAME
from backend.files import read_json
from backend.runs.run import Run
from backend.runs.run_files import FROM_WORKER
from backend.runs.run_state import RunState

WORK = "nanoconf-work"

LOOK_SECONDS = 0.2
SHORTEST_SECONDS, SHARE = 1.0, 0.05
"""Interval between reports with profiles (s): at least this long, and this share of the time since
the start, so that the reports of a day take a few megabytes."""

BRIEF_SECONDS = 60.0
"""Longest interval without a report (s); reports in between have no profiles."""

TELL_SECONDS = 1.0
"""Interval at which the task is told again that the time limit is near (s)."""

LONGEST_NOTICE = 120.0
"""Maximum time before the time limit at which checkpoints are written (s)."""


class Job:
    """A job at its venue.

    Parameters
    ----------
    work : Path
        Folder of the unpacked parcel.
    minutes : float
        The time limit.
    """

    def __init__(self, work: Path, minutes: float):
        (self.folder,) = (work / "jobs").iterdir()
        self.work, self.began = work, time.monotonic()
        self.notice = self.began + 60 * minutes - min(LONGEST_NOTICE, 60 * minutes / 4)
        self.runs = [
            work / "runs" / run_id for run_id in read_json(self.folder / "job.json")["runs"]
        ]
        self._known: dict[str, str] = {}
        self._reported, self._full = -SHORTEST_SECONDS, -SHORTEST_SECONDS
        self._task: subprocess.Popen[bytes] | None = None

    def execute(self) -> None:
        """Execute the task, and report on it."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self._tell(signal.SIGTERM))
        command = [sys.executable, "-P", "-m", "backend.cluster.node.task", str(self.folder)]
        own = (self.work / "backend").is_dir()
        path = [str(self.work)] * own + [p for p in [os.environ.get("PYTHONPATH")] if p]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path)}
        for name in ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_JOB_ID"):
            environment.pop(name, None)  # the venue may be a cluster with Slurm
        # ignored by the task, too, until it is ready for it
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        self._task = subprocess.Popen(command, env=environment)
        while self._task.poll() is None:
            time.sleep(LOOK_SECONDS)
            self._report()
            if time.monotonic() > self.notice:
                self.notice += TELL_SECONDS
                self._tell(signal.SIGUSR1)

    def _tell(self, number: int) -> None:
        if self._task is not None:
            self._task.send_signal(number)

    def _report(self) -> None:
        now = time.monotonic() - self.began
        full = now - self._full >= max(SHORTEST_SECONDS, SHARE * now)
        if not full and now - self._reported < BRIEF_SECONDS:
            return
        for run in self.runs:
            found = folders.progress(run, self._known.get(run.name, ""))
            if "progress" in found:
                self._known[run.name] = found["progress"]["updated"]
                report = {**found, "run": run.name, "partial": found["partial"] if full else {}}
                print(*reports.lines(report), sep="\n", flush=True)
        self._reported = now
        if full:
            self._full = now

    def refuse(self, reason: str) -> None:
        """Fail all runs because the venue lacks something."""
        for folder in self.runs:
            Run(folder).settle(RunState.FAILED, reason, error="python")

    def pack(self, target: Path) -> None:
        """Pack results, and checkpoints of unfinished runs, into one file."""
        part = self.work / "results.part"
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as results:
            for path in self.folder.glob("ended-*.json"):
                results.write(path, ENDED)
            for run in self.runs:
                for path in _files(run):
                    results.write(path, f"runs/{run.name}/{path.relative_to(run)}")
        part.rename(target)


def _files(run: Path) -> list[Path]:
    names = [run / name for name in FROM_WORKER]
    return [path for path in (*names, *sorted((run / "checkpoint").glob("*"))) if path.is_file()]


def main() -> int:
    """Execute the job."""
    parcel, minutes = sys.argv[1:3]
    work = Path(WORK).absolute()
    try:
        work.mkdir()
    except FileExistsError:  # some venues start a program once for each core
        return 0
    with zipfile.ZipFile(parcel) as content:
        whole = parcel in os.environ.get("PYTHONPATH", "")
        content.extractall(
            work, [n for n in content.namelist() if whole or not n.startswith("backend/")]
        )
    job = Job(work, float(minutes))
    missing = [name for name in package.needed() if importlib.util.find_spec(name) is None]
    if missing:
        lacks = f"{sys.executable} at the venue lacks {', '.join(missing)}"
        job.refuse(f"{lacks}: set python or setup in the cluster's entry")
    else:
        say(f"job on {os.uname().nodename}, Python {sys.version.split()[0]}, {sys.executable}")
        job.execute()
    job.pack(Path(NAME).absolute())
    shutil.rmtree(work, ignore_errors=True)  # so that nothing else is transferred
    return 0


if __name__ == "__main__":
    sys.exit(main())
