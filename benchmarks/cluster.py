"""``python -m benchmarks.cluster``: what the way over a cluster costs, with a Slurm right here.

``--sweep 1000``: what a sweep of so many systems asks of both ends, killed connections included.
Needs the Debian packages that the tests need (``make test`` brings them).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from backend.cluster.config import VARIABLE
from backend.cluster.destination import destination
from backend.keeper.election import follow, stop_keeper
from backend.runs.archive import Archive
from backend.runs.state import RunState
from backend.settings import RunSettings
from backend.system import SlitSystem
from nanoconf.tables import aligned
from tests.support.desk import NAME, write_config
from tests.support.homes import keepers, until
from tests.support.slurm import SlurmCluster

ROUNDS = 5
SYSTEM = SlitSystem(positive_valency=3, positive_diameter=0.5)

ARRAY = {"max_tasks": 20, "max_running": 20, "cores": 1}
"""Keys of the cluster's entry in a sweep."""

KILLED_AT = (0.2, 0.6)
"""Shares of a sweep after which its connection is killed."""


# --- one run --------------------------------------------------------------------------------


def timed(home: Path, seed: int, cluster: str | None) -> tuple[float, float]:
    """Seconds from submitting a short run to its first progress, and to its result."""
    settings = RunSettings(duration_ns=0.5, replicas=1, seed=seed)
    place = destination(cluster, SYSTEM, settings)
    began = time.monotonic()
    run = Archive(home).submit(SYSTEM, settings, reuse=False, **place)
    first: list[float] = []

    def seen(progress: object) -> None:
        if progress is not None and not first:
            first.append(time.monotonic() - began)

    if follow(run, seen) != RunState.DONE:
        raise SystemExit(f"the run failed: {run.reason}")
    result = time.monotonic() - began
    return (first[0] if first else result), result


def single_runs(home: Path) -> list[list[str]]:
    """Time runs here and there, in turn; rows of a table."""
    timed(home, 0, None)  # the keeper starts, and the first connection is made
    timed(home, 0, NAME)
    here = [timed(home, seed, None) for seed in range(1, ROUNDS + 1)]
    there = [timed(home, seed, NAME) for seed in range(1, ROUNDS + 1)]
    rows = [["median of 5 runs, s", "first progress", "result"]]
    for words, times in (("on this computer", here), ("through Slurm, over SSH", there)):
        rows.append([words, *(f"{statistics.median(t):.1f}" for t in zip(*times, strict=True))])
    extra = [
        statistics.median(b) - statistics.median(a)
        for a, b in zip(zip(*here, strict=True), zip(*there, strict=True), strict=True)
    ]
    return [*rows, ["what the cluster adds", *(f"{each:.1f}" for each in extra)]]


# --- a sweep --------------------------------------------------------------------------------


def sweep(cluster: SlurmCluster, home: Path, folder: Path, systems: int) -> dict[str, float]:
    """Carry out a sweep of very short runs, and kill its connection twice meanwhile.

    Parameters
    ----------
    cluster : SlurmCluster
        Where it runs, as ``NANOCONF_CLUSTER_CONFIG`` describes it (with `ARRAY`).
    home : Path
        The folder of the archive.
    folder : Path
        Folder of the dataset.
    systems : int
        How many.

    Returns
    -------
    dict of str to float
        What it took, by names that carry their units.
    """
    words = ["sweep", "--cluster", "--random", str(systems), "--duration-ns", "0.001"]
    words += ["--set", "replicas=1", "--set", "time_step=0.02", "-o", str(folder)]
    environment = os.environ | {"NANOCONF_HOME": str(home)}
    cluster.measure_commands()
    polled, began = cluster.answered("REQUEST_JOB_INFO_SINGLE"), time.time()
    work = subprocess.Popen([sys.executable, "-m", "nanoconf", *words], env=environment)
    killed = 0
    for share in KILLED_AT:
        enough = partial(_has_come, work, home, share * systems)
        until(enough, f"{share:.0%} of the sweep", patience=100 + 10 * systems)
        killed += bool(cluster.kill_connections())
    if work.wait(100 + 10 * systems):
        raise SystemExit("the sweep failed")
    minutes = (time.time() - began) / 60
    commands = cluster.commands()
    polls = cluster.answered("REQUEST_JOB_INFO_SINGLE") - polled
    until(lambda: not cluster.slurm("squeue", "--noheader"), "the tasks to end", 600)
    return {
        **_arrived(cluster, home),
        "connections_killed": killed,
        "minutes": minutes,
        "polls": polls,
        "polls_per_minute": polls / minutes,
        "commands_on_login_node": len(commands),
        "login_node_cpu_seconds": sum(command.cpu_seconds for command in commands),
        "login_node_peak_mb": max(command.peak_mb for command in commands),
        "keeper_peak_mb": _peak_mb(keepers(home)[0].pid),
    }


def _arrived(cluster: SlurmCluster, home: Path) -> dict[str, float]:
    """What there is of a sweep: results here, and how often each was worked on."""
    runs = Archive(home).runs()
    jobs = {run.cluster_status()["job"] for run in runs}
    return {
        "results": sum(run.state == RunState.DONE and run.has_result_files() for run in runs),
        "different_systems": len({run.inputs_hash for run in runs}),
        "workers_begun": sum(len(run.attempts()) for run in runs),
        "jobs": sum(map(cluster.submissions, jobs)),
        "tasks": sum(map(cluster.ended_tasks, jobs)),
    }


def _has_come(work: subprocess.Popen[bytes], home: Path, number: float) -> bool:
    """Whether so many results are in the archive; a look now and then is enough."""
    time.sleep(1.0)
    arrived = sum(1 for _ in home.glob("runs/*/result.json"))
    return arrived >= number or work.poll() is not None


def _peak_mb(pid: int) -> float:
    """The most memory that a process has had, MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (peak,) = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(peak) / 1000


# --- the command ----------------------------------------------------------------------------


def table(figures: dict[str, float]) -> list[list[str]]:
    """Figures as rows."""
    return [[name.replace("_", " "), f"{figure:.4g}"] for name, figure in figures.items()]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="benchmarks.cluster", description=__doc__)
    parser.add_argument("--sweep", type=int, metavar="N", help="a sweep of N systems instead")
    systems = parser.parse_args().sweep
    with (
        tempfile.TemporaryDirectory(prefix="slurm-") as name,
        SlurmCluster(Path(name)) as cluster,
    ):
        home = cluster.folder / "runs here"
        home.mkdir()
        entry = write_config(home / "clusters.toml", cluster, **(ARRAY if systems else {}))
        os.environ[VARIABLE] = str(entry)
        try:
            if systems:
                rows = table(sweep(cluster, home, cluster.folder / "data", systems))
            else:
                rows = single_runs(home)
        finally:
            stop_keeper(home)
    print(aligned(rows))


if __name__ == "__main__":
    main()
