"""Jobs of this home on clusters: ``NANOCONF_HOME/jobs/<name>.json``.

A job's file is written before its first request is sent. If the keeper is killed, the next one
therefore knows which jobs may have been submitted, and finds them by name.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from backend.cluster.config import Cluster
from backend.cluster.submit import command
from backend.engines import registry
from backend.files import write_json
from backend.runs.run import Run, now
from backend.untrusted import checked, read_json

PREFIX = "nanoconf-"
LONGEST_NOTICE = 120
"""Maximum time before the time limit at which a job is asked to write a checkpoint (s)."""


@dataclass
class Job:
    """A job: a list of runs, and the tasks that share them.

    Attributes
    ----------
    name : str
        Unique name.
    cluster, config : str
        The cluster's name, and the file that describes it.
    runs : list of str
        Ids; task i of n executes every n-th run, beginning with the i-th.
    tasks, cores, minutes : int
        Number of tasks, cores per task, and time limit.
    asked : bool
        True if it may have been submitted.
    job_id : int or None
        Job id of Slurm or of ``submit``, once known.
    """

    name: str
    cluster: str
    config: str
    runs: list[str]
    tasks: int
    cores: int
    minutes: int
    asked: bool = False
    job_id: int | None = None
    created: str = field(default_factory=now)

    def __post_init__(self) -> None:
        if min(self.tasks, self.cores) < 1:
            raise ValueError("a job needs at least one task and one core")

    @classmethod
    def of(cls, cluster: Cluster, runs: Sequence[Run]) -> Job:
        """Create a job for runs without one."""
        tasks = min(len(runs), cluster.max_tasks) if cluster.arrays else 1
        shares = [sum(float(r.resources["minutes"]) for r in runs[i::tasks]) for i in range(tasks)]
        return cls(
            name=PREFIX + secrets.token_hex(8),
            cluster=cluster.name,
            config=runs[0].resources["config"],
            runs=[run.id for run in runs],
            tasks=tasks,
            cores=max(int(run.resources["cores"]) for run in runs),
            minutes=min(math.ceil(max(shares)), cluster.max_walltime_minutes),
        )

    def index(self, run_id: str) -> int:
        """Return the index of the task that a run belongs to."""
        return self.runs.index(run_id) % self.tasks

    def options(self, cluster: Cluster, engine: str) -> list[str]:
        """Return the options of sbatch or of ``submit``, without the job name."""
        if cluster.submit:
            return command.options(cluster, self.cores, self.minutes)
        notice = min(LONGEST_NOTICE, max(5, 60 * self.minutes // 4))
        # the worker rejects an engine that it does not know
        ranks = engine in registry.names() and registry.get(engine).mpi
        options = [
            f"--time={self.minutes}",
            f"--ntasks={self.cores if ranks else 1}",
            f"--cpus-per-task={1 if ranks else self.cores}",
            f"--signal=B:USR1@{notice}",
            "--requeue",
            "--output=/dev/null",  # the script writes its own log
        ]
        for key in ("partition", "account", "qos", "gres"):
            if getattr(cluster, key):
                options.append(f"--{key}={getattr(cluster, key)}")
        if self.tasks > 1:
            options.append(f"--array=0-{self.tasks - 1}%{min(self.tasks, cluster.max_running)}")
        return options

    def save(self, home: Path) -> None:
        """Write the job's file."""
        folder = home / "jobs"
        folder.mkdir(exist_ok=True)
        write_json(folder / f"{self.name}.json", asdict(self))

    def remove(self, home: Path) -> None:
        """Remove the job's file."""
        (home / "jobs" / f"{self.name}.json").unlink(missing_ok=True)


def load(home: Path, cluster: str, config: Path) -> list[Job]:
    """Return the jobs of a home on the cluster with this name and configuration file."""
    found = []
    for path in sorted((home / "jobs").glob(f"{PREFIX}*.json")):
        try:
            job: Job = checked(Job, read_json(path))
        except (OSError, ValueError):
            continue
        if (job.cluster, Path(job.config)) == (cluster, config):
            found.append(job)
    return found
