"""``python -m benchmarks.cluster``: what the way over a cluster costs, with a Slurm right here.

Needs the Debian packages that the tests need (``make test`` brings them).
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

from backend.archive import Archive
from backend.cluster.config import VARIABLE
from backend.keeper import follow, stop_keeper
from backend.run import DONE
from backend.settings import RunSettings
from backend.system import SlitSystem
from benchmarks.report import aligned
from nanoconf.clusters import destination
from tests.desk import NAME, write_config
from tests.slurm import SlurmCluster

ROUNDS = 5
SYSTEM = SlitSystem(positive_valency=3, positive_diameter=0.5)


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

    if follow(run, seen) != DONE:
        raise SystemExit(f"the run failed: {run.reason}")
    result = time.monotonic() - began
    return (first[0] if first else result), result


def main() -> None:
    """Time runs here and there, in turn."""
    with (
        tempfile.TemporaryDirectory(prefix="slurm-") as name,
        SlurmCluster(Path(name)) as cluster,
    ):
        home = cluster.folder / "runs here"
        home.mkdir()
        os.environ[VARIABLE] = str(write_config(home / "clusters.toml", cluster))
        timed(home, 0, None)  # the keeper starts, and the first connection is made
        timed(home, 0, NAME)
        here = [timed(home, seed, None) for seed in range(1, ROUNDS + 1)]
        there = [timed(home, seed, NAME) for seed in range(1, ROUNDS + 1)]
        stop_keeper(home)
    rows = [["median of 5 runs, s", "first progress", "result"]]
    for words, times in (("on this computer", here), ("through Slurm, over SSH", there)):
        rows.append([words, *(f"{statistics.median(t):.1f}" for t in zip(*times, strict=True))])
    extra = [
        statistics.median(b) - statistics.median(a)
        for a, b in zip(zip(*here, strict=True), zip(*there, strict=True), strict=True)
    ]
    print(aligned([*rows, ["what the cluster adds", *(f"{each:.1f}" for each in extra)]]))


if __name__ == "__main__":
    main()
