"""``python -m benchmarks.cluster``: overhead of cluster runs, measured with a local Slurm.

``--sweep N`` instead measures the load that a sweep of N systems puts on both ends while its
connection is killed twice. Requires the Debian packages of the cluster tests (``make test``
installs them).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from backend.cluster.config import VARIABLE
from backend.cluster.destination import destination
from backend.keeper.election import follow, stop_keeper
from backend.runs.archive import Archive
from backend.runs.run_state import RunState
from backend.settings import RunSettings
from backend.system import SlitSystem
from nanoconf.tables import aligned
from tests.support.desk import NAME, write_config
from tests.support.homes import keepers, until
from tests.support.slurm import SlurmCluster

ROUNDS = 5
SYSTEM = SlitSystem(positive_valency=3, positive_diameter=0.5)

ARRAY = {"max_tasks": 20, "max_running": 20, "cores": 1}
"""Additional keys of the cluster's configuration for a sweep."""

KILLED_AT = (0.2, 0.6)
"""Fractions of a sweep after which its connection is killed."""


# --- one run --------------------------------------------------------------------------------


def timed(home: Path, seed: int, cluster: str | None) -> tuple[float, float]:
    """Return the seconds from submission of a short run to its first progress and to its result."""
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
    """Time local runs and cluster runs; return the rows of a table."""
    timed(home, 0, None)  # starts the keeper
    timed(home, 0, NAME)  # opens the first connection
    local = [timed(home, seed, None) for seed in range(1, ROUNDS + 1)]
    remote = [timed(home, seed, NAME) for seed in range(1, ROUNDS + 1)]
    rows = [[f"median of {ROUNDS} runs (s)", "first progress", "result"]]
    for label, times in (("on this computer", local), ("through Slurm over SSH", remote)):
        rows.append([label, *(f"{statistics.median(t):.1f}" for t in zip(*times, strict=True))])
    overhead = [
        statistics.median(b) - statistics.median(a)
        for a, b in zip(zip(*local, strict=True), zip(*remote, strict=True), strict=True)
    ]
    return [*rows, ["cluster overhead", *(f"{each:.1f}" for each in overhead)]]


# --- a sweep --------------------------------------------------------------------------------


def sweep(
    cluster: SlurmCluster,
    home: Path,
    folder: Path,
    systems: int,
    killed_at: Sequence[float] = KILLED_AT,
) -> dict[str, float]:
    """Run a sweep of very short simulations and kill its connection now and then.

    Parameters
    ----------
    cluster : SlurmCluster
        Cluster described by ``NANOCONF_CLUSTER_CONFIG``, with `ARRAY`.
    home : Path
        Folder of the archive.
    folder : Path
        Folder of the dataset.
    systems : int
        Number of systems.
    killed_at : sequence of float
        Fractions of the sweep after which the connection is killed.

    Returns
    -------
    dict of str to float
        Measured figures; their names include the units.
    """
    arguments = ["sweep", "--cluster", "--random", str(systems), "--duration-ns", "0.001"]
    arguments += ["--set", "replicas=1", "--set", "time_step=0.02", "-o", str(folder)]
    environment = os.environ | {"NANOCONF_HOME": str(home)}
    cluster.measure_commands()
    polled, began = cluster.answered("REQUEST_JOB_INFO_SINGLE"), time.time()
    process = subprocess.Popen([sys.executable, "-m", "nanoconf", *arguments], env=environment)
    killed = 0
    for fraction in killed_at:
        enough = partial(_has_progressed, process, home, fraction * systems)
        until(enough, f"{fraction:.0%} of the sweep", patience=100 + 10 * systems)
        killed += bool(cluster.kill_connections())
    if process.wait(100 + 10 * systems):
        raise SystemExit("the sweep failed")
    minutes = (time.time() - began) / 60
    commands = cluster.commands()
    polls = cluster.answered("REQUEST_JOB_INFO_SINGLE") - polled
    until(lambda: not cluster.slurm("squeue", "--noheader"), "the tasks to end", 600)
    return {
        **_results(cluster, home),
        "connections_killed": killed,
        "minutes": minutes,
        "polls": polls,
        "polls_per_minute": polls / minutes,
        "commands_on_login_node": len(commands),
        "login_node_cpu_seconds": sum(command.cpu_seconds for command in commands),
        "login_node_peak_mb": max(command.peak_mb for command in commands),
        "keeper_peak_mb": _peak_mb(keepers(home)[0].pid),
    }


def _results(cluster: SlurmCluster, home: Path) -> dict[str, float]:
    """Count the results of a sweep and the workers, jobs and tasks that produced them."""
    runs = Archive(home).runs()
    jobs = {run.cluster_status()["job"] for run in runs}
    return {
        "results": sum(run.state == RunState.DONE and run.has_result_files() for run in runs),
        "different_systems": len({run.inputs_hash for run in runs}),
        "workers_begun": sum(len(run.attempts()) for run in runs),
        "jobs": sum(map(cluster.submissions, jobs)),
        "tasks": sum(map(cluster.ended_tasks, jobs)),
    }


def _has_progressed(process: subprocess.Popen[bytes], home: Path, results: float) -> bool:
    """Wait 1 s, then return True if enough results have arrived or the sweep has ended."""
    time.sleep(1.0)
    arrived = sum(1 for _ in home.glob("runs/*/result.json"))
    return arrived >= results or process.poll() is not None


def _peak_mb(pid: int) -> float:
    """Peak memory of a process (MB)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (peak,) = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(peak) / 1000


# --- the command ----------------------------------------------------------------------------


def table(figures: dict[str, float]) -> list[list[str]]:
    """Return figures as the rows of a table."""
    return [[name.replace("_", " "), f"{figure:.4g}"] for name, figure in figures.items()]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="benchmarks.cluster", description=__doc__)
    parser.add_argument("--sweep", type=int, metavar="N", help="measure a sweep of N systems")
    systems = parser.parse_args().sweep
    with (
        tempfile.TemporaryDirectory(prefix="slurm-") as name,
        SlurmCluster(Path(name)) as cluster,
    ):
        home = cluster.folder / "local runs"
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
