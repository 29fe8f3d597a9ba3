"""Destination of runs and their status there, for commands and the page."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from backend.runs.archive import Run
from backend.runs.run import LOCAL
from backend.settings import RunSettings
from backend.system import SlitSystem


def destination(
    name: str | None,
    system: SlitSystem,
    settings: RunSettings,
    *,
    cores: int | None = None,
    minutes: int | None = None,
) -> dict[str, Any]:
    """Return the destination of a run, as arguments for `Archive.submit`.

    Parameters
    ----------
    name : str or None
        The cluster's name; empty for the first cluster, None for this computer.
    system, settings
        System to simulate and settings of the run.
    cores, minutes : int, optional
        Cores and minutes to request from the cluster; estimated by default.

    Raises
    ------
    InvalidInput
        There is no such cluster, or the run requests more than the cluster allows.
    """
    if name is None:
        return {}
    from backend.cluster import config
    from backend.cluster.resources import resources

    cluster = config.get(name)
    asked = resources(cluster, system, settings, cores=cores, minutes=minutes)
    return {"where": cluster.name, "cluster": asked}


def default_engine(name: str | None) -> dict[str, str]:
    """Return the engine that a cluster's entry names, as a setting."""
    if name is None:
        return {}
    from backend.cluster import config

    return {"engine": config.get(name).engine}


def status_in_words(run: Run) -> str:
    """Return the status of a run on a cluster, such as ``pending: Priority``; may be empty."""
    status = run.cluster_status()
    if status.get("note"):
        return str(status["note"])
    slurm, reason = str(status.get("slurm", "")).lower(), status.get("reason", "")
    job = f" (job {status['job_id']})" if status.get("job_id") else ""
    return f"{slurm}{': ' if slurm and reason else ''}{reason}{job}" if slurm or reason else ""


def waiting_line(progress: bool | None) -> Callable[[Run], None]:
    """Return a function that prints to standard error what a cluster run is waiting for.

    It prints each line once. On a terminal it prints nothing; the progress bar shows the line.

    Parameters
    ----------
    progress : bool or None
        True or False if a progress bar was asked for or declined; else None.
    """
    from backend.cluster.here.remote_run import SENDING

    said = {"", SENDING}

    def say(run: Run) -> None:
        note = "" if run.where == LOCAL else str(run.cluster_status().get("note", ""))
        if note not in said:
            said.add(note)
            print(f"{run.where}: {note}", file=sys.stderr, flush=True)

    silent = progress is not None or sys.stderr.isatty()
    return (lambda run: None) if silent else say
