"""The hand on the cluster's login node: ``python -P -m backend.cluster.node.agent WORK_DIR``.

One request comes in on standard input, one reply goes out (`wire`); in between everything is done
here, so a connection that breaks at any moment leaves nothing half done, and asking again does
nothing twice. Below the work folder lie ``runs/<id>/``, as everywhere, and ``jobs/<name>/``, what a
job works through. Python's standard library is all it needs.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from backend import __version__
from backend.cluster import wire
from backend.cluster.node import script, slurm
from backend.cluster.problems import ClusterProblem
from backend.files import read_json, write_json, write_text
from backend.locks import Lock
from backend.runs.run import DamagedRun, Run

LOCK_SECONDS = 90.0
SURE_SECONDS = 5.0
"""How long a controller that answers must not know a job before it is submitted a second time."""

REPLY_BYTES = 8_000_000
"""Files in one reply, about: more are for the next."""

NOT_FETCHED = ("run.json", "worker.lock", "cancel", "urgent")
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


class Agent:
    """Does what a request says.

    Parameters
    ----------
    work_dir : Path
        The folder on the cluster that all is kept in; made if missing.
    """

    def __init__(self, work_dir: Path):
        self.runs, self.jobs = work_dir / "runs", work_dir / "jobs"
        for folder in (self.runs, self.jobs):
            folder.mkdir(parents=True, exist_ok=True)

    def answer(self, request: dict[str, Any]) -> Any:
        """The reply to a request: ``do`` names a method, the rest are its arguments."""
        words = dict(request)
        actions: dict[str, Callable[..., Any]] = {
            action.__name__: action
            for action in (
                *(self.hello, self.submit, self.poll, self.fetch),
                *(self.log, self.cancel, self.clear),
            )
        }
        return actions[words.pop("do")](**words)

    # --- what it can do ---------------------------------------------------------------------

    def hello(self) -> dict[str, Any]:
        """Who is there."""
        probe = self.jobs / f".probe-{os.getpid()}"
        probe.write_bytes(bytes(4096))
        probe.unlink()
        return {
            "version": __version__,
            "python": platform.python_version(),
            "host": platform.node(),
            "work_dir": str(self.runs.parent),
            "slurm": slurm.version(),
            "partitions": slurm.partitions(),
        }

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
        """Make the runs' folders and submit their job; once, however often it is asked.

        Parameters
        ----------
        job : str
            The job's name, which no other has.
        runs : list of str
            Ids; the tasks share them.
        requests : list of dict
            Content of each ``run.json``; there is none for a run that is wanted no more.
        options : list of str
            Options of sbatch.
        setup : list of str
            Shell lines that come first.
        tasks, threads : int
            Tasks that share the runs, and replicas side by side in each.
        continues : dict of str to str
            Earlier runs whose checkpoints some of them go on from, by id.

        Returns
        -------
        dict
            ``job_id``; or ``refused`` (what is wrong) where there surely is no such job, and all
            is again as it was.
        """
        folder = self.jobs / job
        folder.mkdir(exist_ok=True)
        with _held(folder / "submit.lock"):
            job_id = self._submitted(folder)
            if job_id is not None:
                return {"job_id": job_id}
            try:
                for request in requests:
                    self._make_run(request, continues.get(request["id"], ""))
                write_json(folder / "job.json", {"runs": runs, "tasks": tasks, "threads": threads})
                write_text(folder / script.NAME, script.text(folder, setup))
                return {"job_id": self._submit(folder, options)}
            except (ClusterProblem, OSError) as error:
                if isinstance(error, ClusterProblem) and error.passing:
                    raise
                self._take_back(job, runs, continues)
                return {"refused": explained(error, self.runs.parent)}

    def poll(self, jobs: dict[str, int], runs: dict[str, str]) -> dict[str, Any]:
        """How far jobs and runs are.

        Parameters
        ----------
        jobs : dict of str to int
            The jobs' numbers, by name.
        runs : dict of str to str
            When the progress that is known of each run was written; empty where none is.

        Returns
        -------
        dict
            ``numbers`` (by job: the number of the one that has its runs), ``tasks`` (by job: what
            Slurm says), ``ended`` (by job and task: why it ended early) and ``runs`` (by run:
            ``over``, and ``progress``, ``log`` and ``partial`` where new).
        """
        numbers = {name: self._claimed(self.jobs / name) or jobs[name] for name in jobs}
        return {
            "numbers": numbers,
            "tasks": {name: slurm.tasks(number) for name, number in numbers.items()},
            "ended": {name: self._ended(name) for name in jobs},
            "runs": {run_id: self._look(run_id, known) for run_id, known in runs.items()},
        }

    def fetch(self, runs: list[str]) -> dict[str, dict[str, str]]:
        """The files of some runs, of as many as one reply may hold: content by name, by run."""
        found: dict[str, dict[str, str]] = {}
        size = 0
        for run_id in runs:
            if size > REPLY_BYTES:
                break
            files = {
                path.name: path.read_bytes()
                for path in sorted((self.runs / run_id).iterdir())
                if path.is_file() and path.name not in NOT_FETCHED and path.name[0] != "."
            }
            size += sum(map(len, files.values()))
            found[run_id] = {name: wire.as_text(content) for name, content in files.items()}
        return found

    def log(self, job: str, task: int) -> str:
        """The last lines that a task of a job wrote."""
        with contextlib.suppress(OSError), open(self.jobs / job / f"task-{task}.log", "rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - 4096))
            return log.read().decode("utf-8", "replace")
        return ""

    def cancel(self, runs: list[str], jobs: list[int]) -> None:
        """Let runs end, and cancel whole jobs."""
        for run_id in runs:
            with contextlib.suppress(FileNotFoundError):
                (self.runs / run_id / "cancel").touch()
        for job_id in jobs:
            slurm.cancel(job_id)

    def clear(self, runs: list[str], jobs: list[str]) -> None:
        """Remove what has been fetched, or is wanted no more.

        A worker that is just being ended may still write. So a folder first goes out of its way:
        a file that came while it was emptied would stay, and the folder with it.
        """
        for folder in [*(self.runs / name for name in runs), *(self.jobs / name for name in jobs)]:
            doomed = folder.with_name(f".{folder.name}")
            shutil.rmtree(doomed, ignore_errors=True)  # of an earlier try, if it was broken off
            with contextlib.suppress(FileNotFoundError):
                folder.rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)

    # --- submitting, once -------------------------------------------------------------------

    def _submitted(self, folder: Path) -> int | None:
        """The number of the job, if it has been submitted.

        Where an earlier try ended without an answer, the controller may have heard it, or hear it
        yet. Then its name decides, unless it has begun and says so itself; and only a controller
        that does not know it twice, some seconds apart, is asked again.
        """
        record, intent = folder / "submitted.json", folder / "submitting.json"
        if record.exists():
            return read_json(record)["job_id"]
        if not intent.exists():
            return None
        job_id = self._claimed(folder) or slurm.find(folder.name)
        if job_id is not None:
            return self._record(folder, job_id)
        missed = read_json(intent).get("missed")
        if missed is None:
            write_json(intent, {"missed": time.time()})
        if missed is None or time.time() - missed < SURE_SECONDS:
            raise ClusterProblem("slurm-silent", "Slurm may not have taken the job: looking again")
        return None

    def _claimed(self, folder: Path) -> int | None:
        """The number that the job itself has left, if it has begun."""
        with contextlib.suppress(OSError, ValueError):
            return int((folder / "claim").read_text())
        return None

    def _submit(self, folder: Path, options: list[str]) -> int:
        intent = folder / "submitting.json"
        write_json(intent, {})
        try:
            job_id = slurm.submit([*options, f"--job-name={folder.name}"], folder, script.NAME)
        except ClusterProblem as problem:
            if not problem.passing:
                intent.unlink()
            raise
        return self._record(folder, job_id)

    def _record(self, folder: Path, job_id: int) -> int:
        """Note a job's number, and give it; where nothing can be written, its name tells it."""
        with contextlib.suppress(OSError):
            write_json(folder / "submitted.json", {"job_id": job_id})
        return job_id

    def _take_back(self, job: str, runs: list[str], continues: dict[str, str]) -> None:
        """Put things as they were before a job that was refused; checkpoints most of all."""
        for run_id, earlier in continues.items():
            with contextlib.suppress(OSError):
                os.rename(self.runs / run_id / "checkpoint", self.runs / earlier / "checkpoint")
        self.clear(runs, [job])

    def _make_run(self, request: dict[str, Any], earlier: str) -> None:
        """Make a run's folder, with the checkpoint that it goes on from."""
        folder = self.runs / request["id"]
        folder.mkdir(exist_ok=True)
        if not (folder / "run.json").exists():
            write_json(folder / "run.json", request)
        checkpoint = self.runs / earlier / "checkpoint"
        if earlier and checkpoint.is_dir() and not (folder / "checkpoint").exists():
            os.rename(checkpoint, folder / "checkpoint")
            with contextlib.suppress(OSError):
                shutil.copy(self.runs / earlier / "progress.json", folder)

    # --- looking ----------------------------------------------------------------------------

    def _ended(self, job: str) -> dict[str, str]:
        ended = {}
        for path in (self.jobs / job).glob("ended-*.json"):
            with contextlib.suppress(OSError, ValueError):
                ended[path.stem.removeprefix("ended-")] = read_json(path)["why"]
        return ended

    def _look(self, run_id: str, known: str) -> dict[str, Any]:
        """Whether a run is over, and what is new of it."""
        folder = self.runs / run_id
        found: dict[str, Any] = {
            "over": any((folder / name).exists() for name in ("result.json", "failure.json")),
            "checkpoint": (folder / "checkpoint").is_dir(),
        }
        try:
            run, progress = Run(folder), read_json(folder / "progress.json")
        except (OSError, ValueError, DamagedRun):
            return found
        if not found["over"] and progress.get("updated") != known:
            found["progress"] = progress
            found["log"] = "".join(f"{line}\n" for line in run.log_tail(40))
            found["partial"] = dict(self._partial(folder))
        return found

    def _partial(self, folder: Path) -> Iterator[tuple[str, str]]:
        for path in (folder / "partial").glob("*.csv"):
            with contextlib.suppress(OSError):
                yield path.name, wire.as_text(path.read_bytes())


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    """Hold a lock while something is done; where the file system has no locks, do without."""
    lock = Lock(path)
    try:
        if not lock.acquire(LOCK_SECONDS):
            raise ClusterProblem("lost", "an earlier request is still being carried out")
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    try:
        yield
    finally:
        lock.release()


def explained(error: Exception, work_dir: Path) -> dict[str, str]:
    """The name of what went wrong, and a line that says what to do."""
    if isinstance(error, ClusterProblem):
        return {"name": error.name, "line": str(error)}
    if isinstance(error, wire.Broken):
        return {"name": "lost", "line": f"the request did not arrive: {error}"}
    if isinstance(error, OSError):
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return {
                "name": "disk-full",
                "line": f"the cluster's disk is full ({work_dir}): free some space there",
            }
        return {
            "name": "work-dir",
            "line": f"the work folder on the cluster cannot be used: {error}: choose another "
            "with work_dir",
        }
    return {"name": "unexpected", "line": "".join(traceback.format_exception(error))}


def main() -> int:
    """Answer the request on standard input."""
    work_dir = Path(sys.argv[1]).absolute()
    try:
        request = wire.unpack(sys.stdin.buffer.read())
        reply = {"reply": Agent(work_dir).answer(request)}
    except Exception as error:
        reply = {"problem": explained(error, work_dir)}
    sys.stdout.buffer.write(wire.pack(reply))
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
