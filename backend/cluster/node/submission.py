"""Submit a job exactly once, however often the request is repeated.

A job's folder records its submission: ``submitting.json`` is written before sbatch is run,
``submitted.json`` after it has answered, and ``claim`` by the job itself.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

from backend.cluster.node import job_script as script
from backend.cluster.node import slurm
from backend.cluster.problems import ClusterProblem
from backend.files import read_json, write_json

SURE_SECONDS = 5.0
"""Time for which a job must be unknown to the controller before it is submitted again (s)."""


def submitted(folder: Path) -> int | None:
    """Return the id of the job if it has been submitted.

    The controller may have received an earlier sbatch that gave no answer, or may still receive it.
    In that case, the id is taken from the job's own claim, or else looked up by the job's name. The
    job may be submitted again only if two queries a few seconds apart find no job with this name.
    """
    record, intent = folder / "submitted.json", folder / "submitting.json"
    if record.exists():
        return read_json(record)["job_id"]
    if not intent.exists():
        return None
    job_id = claimed(folder) or slurm.find(folder.name)
    if job_id is not None:
        return _record(folder, job_id)
    missed = read_json(intent).get("missed")
    if missed is None:
        write_json(intent, {"missed": time.time()})
    if missed is None or time.time() - missed < SURE_SECONDS:
        raise ClusterProblem("slurm-silent", "Slurm may not have accepted the job: checking again")
    return None


def claimed(folder: Path) -> int | None:
    """Return the id that the job itself has recorded, if it has started."""
    with contextlib.suppress(OSError, ValueError):
        return int((folder / "claim").read_text())
    return None


def submit(folder: Path, options: Sequence[str]) -> int:
    """Submit the job of a folder; return its id."""
    intent = folder / "submitting.json"
    write_json(intent, {})
    try:
        job_id = slurm.submit([*options, f"--job-name={folder.name}"], folder, script.NAME)
    except ClusterProblem as problem:
        if not problem.passing:
            intent.unlink()
        raise
    return _record(folder, job_id)


def _record(folder: Path, job_id: int) -> int:
    """Record a job's id; if the disk is full, the job can still be found by its name."""
    with contextlib.suppress(OSError):
        write_json(folder / "submitted.json", {"job_id": job_id})
    return job_id
