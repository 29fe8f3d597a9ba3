"""Agent on the cluster's login node: ``python -P -m backend.cluster.node.agent WORK_DIR``.

It reads one request from standard input and writes one reply to standard output (`wire`). All work
is done between reading and writing, so the connection may break at any moment, and repeating a
request is safe. The work folder contains ``runs/<id>/``, with the same files as run folders on the
user's computer, and ``jobs/<name>/``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from backend import __version__
from backend.cluster import wire
from backend.cluster.node import folders, slurm, submission
from backend.cluster.node import job_script as script
from backend.cluster.problems import ClusterProblem
from backend.files import read_json, write_json, write_text
from backend.locks import Lock

LOCK_SECONDS = 90.0
LOG_BYTES = 4096
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


class Agent:
    """Carries out requests.

    Parameters
    ----------
    work_dir : Path
        The work folder on the cluster; created if missing.
    """

    def __init__(self, work_dir: Path):
        self.runs, self.jobs = work_dir / "runs", work_dir / "jobs"
        for folder in (self.runs, self.jobs):
            folder.mkdir(parents=True, exist_ok=True)

    def answer(self, request: dict[str, Any]) -> Any:
        """Return the reply to a request: ``do`` names a method, the other keys its arguments."""
        arguments = dict(request)
        actions: dict[str, Callable[..., Any]] = {
            action.__name__: action
            for action in (
                *(self.hello, self.submit, self.poll, self.fetch),
                *(self.log, self.cancel, self.clear),
            )
        }
        return actions[arguments.pop("do")](**arguments)

    def hello(self) -> dict[str, Any]:
        """Test the work folder and Slurm; return versions, host and partitions."""
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
        """Create the run folders and submit their job once, however often this is requested.

        Parameters
        ----------
        job : str
            The job's unique name.
        runs : list of str
            IDs of the runs; the tasks share them.
        requests : list of dict
            Content of each ``run.json``; runs that are no longer wanted have none.
        options : list of str
            Options for sbatch.
        setup : list of str
            Shell commands to run first.
        tasks, threads : int
            Number of tasks, and of replicas that each task simulates at the same time.
        continues : dict of str to str
            IDs of earlier runs, by id of the run that resumes from their checkpoint.

        Returns
        -------
        dict
            ``job_id``; or ``refused`` (the problem) if it is certain that there is no such job. In
            that case, all changes have been undone.
        """
        folder = self.jobs / job
        folder.mkdir(exist_ok=True)
        with _locked(folder / "submit.lock"):
            job_id = submission.submitted(folder)
            if job_id is not None:
                return {"job_id": job_id}
            try:
                for request in requests:
                    earlier = continues.get(request["id"])
                    resumed = self.runs / earlier if earlier else None
                    folders.make(self.runs / request["id"], request, resumed)
                write_json(folder / "job.json", {"runs": runs, "tasks": tasks, "threads": threads})
                write_text(folder / script.NAME, script.text(folder, setup))
                return {"job_id": submission.submit(folder, options)}
            except (ClusterProblem, OSError) as error:
                if isinstance(error, ClusterProblem) and error.passing:
                    raise
                folders.return_checkpoints(self.runs, continues)
                self.clear(runs, [job])
                return {"refused": explained(error, self.runs.parent)}

    def poll(self, jobs: dict[str, int], runs: dict[str, str]) -> dict[str, Any]:
        """Return the status of jobs and runs.

        Parameters
        ----------
        jobs : dict of str to int
            Slurm job ids, by name.
        runs : dict of str to str
            Timestamp of the last known progress of each run; empty if there is none.

        Returns
        -------
        dict
            ``numbers`` (by job: the id of the job that has claimed its runs), ``tasks`` (by job:
            Slurm's report), ``ended`` (by job and task: the reason for an early end) and ``runs``
            (by run: ``over``, and ``progress``, ``log`` and ``partial`` if new).
        """
        numbers = {name: submission.claimed(self.jobs / name) or jobs[name] for name in jobs}
        return {
            "numbers": numbers,
            "tasks": {name: slurm.tasks(number) for name, number in numbers.items()},
            "ended": {name: self._ended_early(name) for name in jobs},
            "runs": {
                run_id: folders.progress(self.runs / run_id, known)
                for run_id, known in runs.items()
            },
        }

    def _ended_early(self, job: str) -> dict[str, str]:
        ended = {}
        for path in (self.jobs / job).glob("ended-*.json"):
            with contextlib.suppress(OSError, ValueError):
                ended[path.stem.removeprefix("ended-")] = read_json(path)["why"]
        return ended

    def fetch(self, runs: list[str]) -> dict[str, dict[str, str]]:
        """Return the files of some runs, as many as fit in one reply, by run and name."""
        return folders.results(self.runs / run_id for run_id in runs)

    def log(self, job: str, task: int) -> str:
        """Return the last lines that a task of a job wrote."""
        with contextlib.suppress(OSError), open(self.jobs / job / f"task-{task}.log", "rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - LOG_BYTES))
            return log.read().decode("utf-8", "replace")
        return ""

    def cancel(self, runs: list[str], jobs: list[int]) -> None:
        """Ask runs to end, and cancel whole jobs."""
        for run_id in runs:
            with contextlib.suppress(FileNotFoundError):
                (self.runs / run_id / "cancel").touch()
        for job_id in jobs:
            slurm.cancel(job_id)

    def clear(self, runs: list[str], jobs: list[str]) -> None:
        """Remove the folders of runs and jobs that have been fetched or are no longer wanted."""
        for folder in [*(self.runs / name for name in runs), *(self.jobs / name for name in jobs)]:
            folders.remove(folder)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock; on a file system without locks, proceed without one."""
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
    """Return the name of a problem, and a line that says what to do about it."""
    if isinstance(error, ClusterProblem):
        return {"name": error.name, "line": str(error)}
    if isinstance(error, wire.Broken):
        return {"name": "lost", "line": f"the request was not received correctly: {error}"}
    if isinstance(error, OSError):
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return {
                "name": "disk-full",
                "line": f"the cluster's disk is full ({work_dir}): free some space there",
            }
        return {
            "name": "work-dir",
            "line": f"the work folder on the cluster cannot be used ({error}): choose another "
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
