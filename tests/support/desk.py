"""A home whose runs go to the tests' Slurm, step by step, so that faults come in between."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

import backend
from backend.cluster.config import VARIABLE, get
from backend.cluster.here.dispatcher import Dispatcher
from backend.cluster.resources import resources
from backend.runs.archive import Archive
from backend.runs.run import Run
from backend.runs.run_state import RunState
from backend.settings import RunSettings
from backend.system import SlitSystem
from tests.support.homes import PATIENCE, SYSTEM, until

if TYPE_CHECKING:
    from tests.support.slurm import SlurmCluster

NAME = "test"

PAUSE_SECONDS = 0.2
"""Pause between polls, which take a processor from the runs."""

ROOT = Path(backend.__file__).parents[1]


def write_config(path: Path, slurm: SlurmCluster, **changes: Any) -> Path:
    """Describe the tests' Slurm in a file; its Python is the one of these tests."""
    entry = {
        "host": slurm.host,
        "port": slurm.port,
        "user": slurm.user,
        "key_file": str(slurm.key_file),
        "known_hosts": str(slurm.known_hosts),
        "work_dir": "work",
        "max_walltime_minutes": 60,
        "python": sys.executable,
        "setup": setup(),
    }
    return write_entry(path, NAME, {**entry, **changes})


def write_entry(path: Path, name: str, entry: Mapping[str, Any]) -> Path:
    """Write a configuration file with one cluster."""
    # texts, numbers, true and false and lists of texts look the same in JSON
    lines = [f"{key} = {json.dumps(value)}" for key, value in entry.items()]
    path.write_text("\n".join([f"[clusters.{name}]", *lines, ""]))
    return path


def setup() -> list[str]:
    """Set-up lines: the engine as compiled here, this checkout even if another is installed."""
    cache = Path(platformdirs.user_cache_dir()).absolute()
    return [
        f"export XDG_CACHE_HOME={shlex.quote(str(cache))}",
        f"export PYTHONPATH={shlex.quote(str(ROOT))}",
        *root_setup(),
    ]


def held_by(file: Path) -> list[str]:
    """Set-up lines with which a job waits before its first run while a file exists."""
    file.touch()
    hold = f"while [ -e {shlex.quote(str(file))} ]; do sleep 0.05; done"
    return [*setup(), f'test -z "$SLURM_JOB_ID" || {hold}']


def root_setup() -> list[str]:
    """Set-up lines with which Open MPI starts LAMMPS for root, as `pytest_configure` has them."""
    names = ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM")
    return [f"export {name}=1" for name in names] if os.geteuid() == 0 else []


class Desk:
    """A home, and the dispatcher of its runs on the tests' Slurm.

    Parameters
    ----------
    home : Path
    slurm : SlurmCluster
    monkeypatch : MonkeyPatch
    **changes
        Keys of the cluster's entry to have otherwise.
    """

    def __init__(self, home: Path, slurm: SlurmCluster, monkeypatch: Any, **changes: Any):
        home.mkdir(exist_ok=True)
        self.slurm = slurm
        self.archive = Archive(home)
        self.config = write_config(home / "clusters.toml", slurm, **changes)
        monkeypatch.setenv(VARIABLE, str(self.config))
        self.said: list[str] = []
        self.restart()

    def change(self, **changes: Any) -> None:
        """Describe the cluster otherwise from now on."""
        write_config(self.config, self.slurm, **changes)

    def restart(self, runs: Sequence[Run] | None = None) -> None:
        """Replace the dispatcher, as after a keeper was killed; the new one has some open runs."""
        self.dispatcher = Dispatcher(self.archive, NAME, self.config, self.said.append)
        for run in self.archive.runs() if runs is None else runs:
            if not run.finished:
                self.dispatcher.add(run)

    @property
    def work(self) -> Path:
        """The work folder on the cluster."""
        return self.slurm.home / "work"

    def submit(self, settings: RunSettings, system: SlitSystem = SYSTEM, **asked: Any) -> Run:
        """Ask for a run on the cluster."""
        queue = asked.pop("queue", "interactive")
        where: Mapping[str, Any] = resources(get(NAME), system, settings, **asked)
        run = self.archive.submit(system, settings, where=NAME, cluster=where, queue=queue)
        self.dispatcher.add(run)
        return run

    def step(self) -> None:
        """Let the dispatcher look after all runs once."""
        self.dispatcher.step()

    def until(
        self, condition: Callable[[], object], what: str = "", patience: float = PATIENCE
    ) -> None:
        """Let the dispatcher work until a condition holds."""

        def so() -> object:
            self.step()
            met = condition()
            if not met:
                time.sleep(PAUSE_SECONDS)
            return met

        until(so, what or "; ".join(self.said[-3:]), patience)

    def finish(self, run: Run, patience: float = PATIENCE) -> str:
        """Let the dispatcher work until a run is over; returns its state."""
        self.until(lambda: run.finished, patience=patience)
        print(run.state, run.reason, *self.said, *run.log_tail(20), sep="\n")  # seen if it fails
        return run.state

    def running(self, run: Run) -> None:
        """Let the dispatcher work until a run has shown progress; a short one may end unseen."""
        self.until(lambda: run.state == RunState.RUNNING and run.progress() is not None)

    def hold(self) -> Path:
        """Let jobs submitted from now on wait before their first run while a file exists."""
        file = self.slurm.home / "held"
        self.change(setup=held_by(file))
        return file

    def job_runs(self, *runs: Run) -> None:
        """Let the dispatcher work until it has seen that the jobs of runs are running."""
        self.until(lambda: all(self.status(run).get("slurm") == "RUNNING" for run in runs))

    def status(self, run: Run) -> dict[str, Any]:
        """Content of a run's ``cluster.json``."""
        return run.cluster_status()

    @property
    def job_names(self) -> list[str]:
        """Names of all jobs that Slurm was ever given."""
        return sorted({job["JobName"] for job in self.slurm.jobs()})

    def close(self) -> None:
        """End the connection."""
        self.dispatcher.state.disconnect()
