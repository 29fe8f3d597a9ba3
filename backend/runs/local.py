"""Local workers: available cores and the start of a worker process."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend import environment
from backend.engines import registry
from backend.inputs import InvalidInput


def cores() -> int:
    """Return the number of cores available to this process: ``NANOCONF_CORES`` if set."""
    with contextlib.suppress(InvalidInput):  # `check_environment` reports it
        if chosen := environment.whole_number("NANOCONF_CORES"):
            return chosen
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cores_of(settings: Mapping[str, Any]) -> int:
    """Return the number of cores that a run uses: one per replica, up to all available cores.

    An engine that advances all replicas at the same time on a card uses one core.
    """
    engine = settings.get("engine")
    if engine in registry.names() and registry.get(engine).all_at_once:
        return 1
    replicas = settings.get("replicas")
    return max(1, min(replicas if isinstance(replicas, int) else 1, cores()))


def start(folder: Path, *, threads: int = 1, niceness: int = 0) -> subprocess.Popen[bytes]:
    """Start a worker for a run folder; it outlives the process that starts it.

    Parameters
    ----------
    folder : Path
        The run folder.
    threads : int
        Number of replicas that run at the same time.
    niceness : int
        Number of levels by which the priority of the worker is lower.

    Returns
    -------
    Popen
        The worker process.
    """
    command = [sys.executable, "-P", "-m", "backend.worker", str(folder), "--threads", str(threads)]
    command += ["--nice", str(niceness)]
    with open(folder / "worker.log", "ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder.parent,
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,
        )
