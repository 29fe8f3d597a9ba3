"""Agent of the clusters behind ``submit``: it answers as the one on a login node does.

It is part of the keeper and works in ``NANOCONF_HOME/submit``, which has the same folders as the
work folder on a cluster. Repeating a request is safe at any time.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from pathlib import Path
from typing import Any

from backend.cluster import wire
from backend.cluster.config import Cluster
from backend.cluster.node import folders
from backend.cluster.node.agent import Agent, explained
from backend.cluster.node.task import TERMINATED
from backend.cluster.problems import REFUSED, ClusterProblem
from backend.cluster.submit import command, job_folder, parcel, reports, returned
from backend.cluster.submit.job_folder import ATTACH, SUBMIT, JobFolder
from backend.files import write_json, written_whole
from backend.runs.run import CANCELLED_REASON, DamagedRun, Run
from backend.runs.run_files import PARTIAL, TABLE_BYTES, checked_progress
from backend.runs.run_state import RunState
from backend.runs.worker import INTERRUPTED
from backend.untrusted import Damaged, checked

ANSWER_SECONDS = 20.0
"""Time to wait for ``submit`` to accept a job before attending to other runs (s)."""

AGAIN_SECONDS = 20.0
"""Shortest interval between two starts of ``submit --attach`` for a run, and between two queries
for a run whose status is unknown (s)."""

FILES_SECONDS = 10.0
"""Time in which files may still arrive after a run has ended (s)."""

PIECE_BYTES, LINE_BYTES = 8_000_000, 300

LOG_CHARACTERS = 100_000


class Followed:
    """In-memory state of a job that is being followed; all of it can be recovered."""

    def __init__(self) -> None:
        self.collector = reports.Collector()
        self.read = 0
        self.state = ""
        self.started = self.asked = -AGAIN_SECONDS
        self.gone: float | None = None
        self.rest = b""
        self.process: subprocess.Popen[bytes] | None = None


class SubmitAgent(Agent):
    """Carries out requests for one cluster behind ``submit``.

    Parameters
    ----------
    work_dir : Path
        Folder of jobs and runs on this computer; created if missing.
    cluster : Cluster
    """

    def __init__(self, work_dir: Path, cluster: Cluster):
        super().__init__(work_dir)
        self.cluster = cluster
        self._followed: dict[str, Followed] = {}

    # --- submission -------------------------------------------------------------------------

    def submit(
        self,
        job: str,
        runs: list[str],
        requests: list[dict[str, Any]],
        options: list[str],
        setup: list[str],
        tasks: int,
        threads: int,
        continues: dict[str, str],
    ) -> dict[str, Any]:
        """Pass a job to ``submit`` once, however often this is requested; see `Agent.submit`."""
        folder = JobFolder(self.jobs / job)
        folder.home.mkdir(parents=True, exist_ok=True)
        try:
            number = folder.submitted() if folder.asked else None
            if number is None:
                self._pack(folder, requests, options, setup, threads, continues)
                words = command.submission(
                    job, options, (parcel.PARCEL, parcel.SCRIPT), parcel.SCRIPT
                )
                number = self._started(folder, words)
            return {"job_id": number}
        except (ClusterProblem, OSError) as error:
            if isinstance(error, ClusterProblem) and error.passing:
                raise
            folders.return_checkpoints(self.runs, continues)
            super().clear(runs, [job])
            return {"refused": explained(error, self.runs.parent)}

    def _pack(
        self,
        folder: JobFolder,
        requests: list[dict[str, Any]],
        options: list[str],
        setup: list[str],
        threads: int,
        continues: dict[str, str],
    ) -> None:
        """Create the run folders, and the files that go to the venue."""
        for request in requests:
            earlier = continues.get(request["id"])
            folders.make(
                self.runs / request["id"], request, self.runs / earlier if earlier else None
            )
        members = [self.runs / request["id"] for request in requests]
        minutes = command.wall_time(options)
        write_json(folder.path / "job.json", {"runs": [run.name for run in members]})
        name, python = folder.path.name, self.cluster.python
        parcel.write(folder.home, members, name, threads, python, setup, minutes)

    def _started(self, folder: JobFolder, words: list[str]) -> int | None:
        (folder.path / "missed.json").unlink(missing_ok=True)
        process = folder.start(SUBMIT, words)
        if process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(ANSWER_SECONDS)
        number = folder.submitted()
        if number is None:  # the command was killed
            raise ClusterProblem("submit-silent", "submit was interrupted")
        return number

    # --- polling ----------------------------------------------------------------------------

    def poll(self, jobs: dict[str, int], runs: dict[str, str]) -> dict[str, Any]:
        """Return the status of jobs and runs; see `Agent.poll`."""
        tasks, ended = {}, {}
        for name in jobs:
            task, why = self._task(JobFolder(self.jobs / name))
            tasks[name] = [task]
            ended[name] = {"0": why} if why else {}
        return {
            "numbers": jobs,
            "tasks": tasks,
            "ended": ended,
            "runs": {
                run_id: folders.progress(self.runs / run_id, known)
                for run_id, known in runs.items()
            },
        }

    def _task(self, folder: JobFolder) -> tuple[dict[str, str], str]:
        """Return the report on a job, in Slurm's words, and why it ended early."""
        ending = folder.ending if folder.home.is_dir() else {"state": "LOST"}
        if not ending:
            followed = self._followed.setdefault(folder.path.name, Followed())
            self._read_output(folder, followed)
            ending = self._ending(folder, followed)
        state = ending.get("state") or followed.state or command.WAITING
        task = {
            "task": "",
            "state": "" if state == "LOST" else state,
            "reason": "None",
            "exit_code": ending.get("exit_code", "0:0"),
        }
        return task, ending.get("why", "")

    def _read_output(self, folder: JobFolder, followed: Followed) -> None:
        """Read what ``submit --attach`` has written since the last poll."""
        with contextlib.suppress(FileNotFoundError), open(folder.path / "attach.out", "rb") as log:
            log.seek(followed.read)
            while piece := log.read(PIECE_BYTES):
                followed.read += len(piece)
                lines, _, rest = (followed.rest + piece).rpartition(b"\n")
                followed.state = command.state_in(lines) or followed.state
                followed.rest = rest[-LINE_BYTES:]
                for report in followed.collector.feed(piece):
                    if followed.state in ("", command.WAITING):
                        followed.state = command.RUNNING
                    self._store_report(folder, report)

    def _store_report(self, folder: JobFolder, report: dict[str, Any]) -> None:
        """Write the progress of a run into its folder here; an invalid report is ignored."""
        listed: list[str] = folder.described.get("runs", [])
        run_id = next((each for each in listed if each == report.get("run")), "")
        if not run_id or not self._is_open(run_id):
            return
        run = self.runs / run_id
        with contextlib.suppress(Damaged, OSError, ValueError):
            progress = checked_progress(checked(dict[str, Any], report.get("progress")))
            log = checked(str, report.get("log", ""))[-LOG_CHARACTERS:]
            partial = checked(dict[str, str], report.get("partial", {}))
            files = {name: wire.as_bytes(partial[name]) for name in PARTIAL if name in partial}
            _write(run / "worker.log", log.encode())
            (run / "partial").mkdir(exist_ok=True)
            for name, content in files.items():
                if len(content) <= TABLE_BYTES:
                    _write(run / "partial" / name, content)
            write_json(run / "progress.json", progress)

    def _ending(self, folder: JobFolder, followed: Followed) -> dict[str, str]:
        """Return how a job ended; empty while it is running."""
        if folder.runs(ATTACH):
            if followed.state in ("", command.WAITING) and self._due(followed):
                row = command.status(folder.number or 0)
                followed.state = row.state if row else followed.state
            return {}
        status = folder.exit_status(ATTACH)
        if (folder.home / returned.NAME).exists():
            return self._unpack(folder)
        if status is not None and followed.gone is None and not self._due(followed):
            return {}
        if status is None or (followed.gone is None and command.status(folder.number or 0)):
            self._attach(folder, followed)
            return {}
        followed.gone = followed.gone or time.monotonic()
        if time.monotonic() - followed.gone < FILES_SECONDS:
            return {}
        if followed.state == "CANCELLED":
            return folder.end("CANCELLED")
        return folder.end("FAILED", f"{status % 256}:0") if status else folder.end("LOST")

    def _due(self, followed: Followed) -> bool:
        """Return True if it is time to ask for the status of a run."""
        now = time.monotonic()
        if now - followed.asked < AGAIN_SECONDS:
            return False
        followed.asked = now
        return True

    def _attach(self, folder: JobFolder, followed: Followed) -> None:
        """Follow a run; a connection that keeps breaking is not restored at once."""
        if time.monotonic() - followed.started >= AGAIN_SECONDS:
            followed.started = time.monotonic()
            followed.process = folder.start(ATTACH, command.attachment(folder.number or 0))

    def _unpack(self, folder: JobFolder) -> dict[str, str]:
        """Unpack the files returned by a job that has ended."""
        listed = folder.described.get("runs", [])
        wanted = [run for run in listed if self._is_open(run)]
        try:
            why = returned.unpack(folder.home / returned.NAME, self.runs, wanted, listed)
        except Damaged as problem:
            reason = f"the files returned by the venue were refused: {returned.NAME} {problem}"
            for run in wanted:
                self._settle(run, RunState.FAILED, reason, REFUSED)
            return folder.end("FAILED", "1:0")
        if why == TERMINATED:
            return folder.end("FAILED", f"{INTERRUPTED}:0", why)
        return folder.end("COMPLETED", why=why)

    def _is_open(self, run_id: str) -> bool:
        try:
            return not Run(self.runs / run_id).finished
        except DamagedRun:  # fetched and removed
            return False

    def _settle(self, run_id: str, state: RunState, reason: str, error: str = "") -> None:
        with contextlib.suppress(DamagedRun):
            Run(self.runs / run_id).settle(state, reason, error=error)

    # --- the rest ---------------------------------------------------------------------------

    def log(self, job: str, task: int) -> str:
        """Return the last lines that a job and ``submit`` wrote, without reports."""
        folder = JobFolder(self.jobs / job)
        name = command.run_name(job)
        texts = [folder.output(ATTACH), job_folder.tail(folder.home / f"{name}.stderr")]
        lines = [line for text in texts for line in text.splitlines(keepends=True)]
        return "".join(line for line in lines if reports.MARK not in line)[-LOG_CHARACTERS:]

    def cancel(self, runs: list[str], jobs: list[int]) -> None:
        """End whole jobs; runs end here at once, whatever becomes of them at the venue."""
        for number in jobs:
            command.kill(number)
        for run_id in runs:
            self._settle(run_id, RunState.CANCELLED, CANCELLED_REASON)

    def clear(self, runs: list[str], jobs: list[str]) -> None:
        """Remove the folders of runs and jobs; a job that is still running is ended first."""
        for name in jobs:
            folder = JobFolder(self.jobs / name)
            if folder.number is not None and not folder.ending:
                command.kill(folder.number)
            self._followed.pop(name, None)
        super().clear(runs, jobs)


def _write(path: Path, content: bytes) -> None:
    with written_whole(path) as stream:
        stream.write(content)
