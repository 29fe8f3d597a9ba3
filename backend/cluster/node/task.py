"""Task of a job: ``python -P -m backend.cluster.node.task JOB_DIR``.

A job is a list of runs. Each of its tasks executes a share of them, one after another, with the
same worker as on the user's computer. Slurm sends SIGUSR1 some time before the time limit: the
worker then writes a checkpoint, and the task ends with status 75. A task that Slurm restarts, for
example after a node failure, skips finished runs and continues with the rest.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from backend.files import read_json, write_json
from backend.runs.run import DamagedRun, Run
from backend.runs.run_state import RunState
from backend.runs.worker import INTERRUPTED, OVER

MAXIMUM_CRASHES = 3
TIME_LIMIT, TERMINATED = "time-limit", "terminated"


class Task:
    """One task of a job.

    Parameters
    ----------
    folder : Path
        The job's folder.
    index : int
        Index of the task.
    """

    def __init__(self, folder: Path, index: int):
        self.folder, self.index = folder, index
        self.job = read_json(folder / "job.json")
        self.stopped_by = ""
        self._worker: subprocess.Popen[bytes] | None = None
        for number, why in ((signal.SIGUSR1, TIME_LIMIT), (signal.SIGTERM, TERMINATED)):
            signal.signal(number, lambda *_, why=why: self._stop(why))

    def execute(self) -> int:
        """Execute the task's share of the runs; return the exit status."""
        if not self._claim():
            say("another job has claimed these runs")
            return 0
        for run_id in self.job["runs"][self.index :: self.job["tasks"]]:
            if not self.stopped_by:
                self._execute_run(self.folder.parent.parent / "runs" / run_id)
        if not self.stopped_by:
            return 0
        write_json(self.folder / f"ended-{self.index}.json", {"why": self.stopped_by})
        return INTERRUPTED

    def _claim(self) -> bool:
        """Claim the runs; return False if another job with this name has claimed them."""
        number = os.environ.get("SLURM_ARRAY_JOB_ID") or os.environ.get("SLURM_JOB_ID", "")
        claim = self.folder / "claim"
        try:
            handle = os.open(claim, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            return self._claimant(claim) in ("", number)
        with os.fdopen(handle, "w") as stream:
            stream.write(number)
        return True

    def _claimant(self, claim: Path) -> str:
        for _ in range(50):  # another task may be about to write it
            text = claim.read_text()
            if text:
                return text
            time.sleep(0.1)
        return ""

    def _execute_run(self, folder: Path) -> None:
        try:
            run = Run(folder)
        except DamagedRun as error:  # fetched and removed before this job was restarted
            say(str(error))
            return
        crashes = 0
        while not self._needs_no_worker(run):
            status = self._run_worker(run)
            if self._needs_no_worker(run):
                return
            if status == OVER:  # a worker on a failed node may take a while to end
                say(f"{run.id}: another worker is still running it: waiting for that worker")
                continue
            crashes += 1
            say(f"{run.id}: its worker exited with status {status}")
            if crashes == MAXIMUM_CRASHES:
                self._give_up(run, status)

    def _needs_no_worker(self, run: Run) -> bool:
        """Return True if there is nothing left to do for a run."""
        # a finished run may have been fetched and removed
        there = (run.folder / "run.json").exists()
        return bool(self.stopped_by) or not there or run.finished

    def _run_worker(self, run: Run) -> int:
        """Run a worker until it ends; return its exit status."""
        threads = str(self.job["threads"])
        folder = run.folder
        command = [sys.executable, "-P", "-m", "backend.worker", str(folder), "--threads", threads]
        with open(folder / "worker.log", "ab") as log:
            self._worker = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
            if self._needs_no_worker(run):  # in the meantime
                self._worker.terminate()
            return self._worker.wait()

    def _stop(self, why: str) -> None:
        self.stopped_by = self.stopped_by or why
        if self._worker is not None:
            with contextlib.suppress(ProcessLookupError):
                self._worker.terminate()

    def _give_up(self, run: Run, status: int) -> None:
        killed = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
        reason = (
            f"the simulation process died {MAXIMUM_CRASHES} times without a message ({killed}), "
            "perhaps because it ran out of memory: see worker.log, or try a smaller system"
        )
        run.settle(RunState.FAILED, reason, "\n".join(run.log_tail(20)), "crashed")


def say(text: str) -> None:
    """Write a line to the job's log."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def main() -> int:
    """Execute this task of the job."""
    index = int(os.environ.get("SLURM_ARRAY_TASK_ID", "0"))
    say(f"task {index} of {sys.argv[1]} on {os.uname().nodename}")
    return Task(Path(sys.argv[1]), index).execute()


if __name__ == "__main__":
    sys.exit(main())
