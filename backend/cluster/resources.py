"""Cores and minutes that a run requests from a cluster."""

from __future__ import annotations

import math
from typing import Any

from backend.cluster.config import Cluster, config_path
from backend.engines import registry
from backend.engines.run_time import estimated_seconds
from backend.inputs import Range, checked
from backend.settings import RunSettings
from backend.system import SlitSystem

SPARE_MINUTES = 5
"""Time to start, and to compile the engine on first use."""

SAFETY = 3
"""Ratio of the time limit to the expected duration of the run on this computer."""


def resources(
    cluster: Cluster,
    system: SlitSystem,
    settings: RunSettings,
    *,
    cores: int | None = None,
    minutes: int | None = None,
) -> dict[str, Any]:
    """Return the resources that a run requests from a cluster, as an argument for `Archive.submit`.

    Parameters
    ----------
    cluster : Cluster
    system, settings
        System to simulate and settings of the run.
    cores : int, optional
        Cores; by default one for each replica, if there are enough.
    minutes : int, optional
        Time limit; by default three times the expected time on this computer.

    Raises
    ------
    InvalidInput
        The run requests more than the cluster's entry allows.
    """
    most_cores = _least(cluster.cores, cluster.max_cores)
    most_minutes = _least(cluster.max_walltime_minutes, cluster.max_minutes)
    if cores is None:
        engine = registry.get(settings.engine)
        replicas = 1 if engine.all_at_once else settings.replicas
        cores = most_cores if engine.mpi else min(replicas, most_cores)
    cores = _demand("cores", cores, most_cores, cluster)
    if minutes is None:
        expected = estimated_seconds(system, settings, cores) / 60
        minutes = min(math.ceil(SPARE_MINUTES + SAFETY * expected), most_minutes)
    minutes = _demand("walltime", minutes, most_minutes, cluster)
    return {"config": str(config_path()), "cores": cores, "minutes": minutes}


def _least(most: int, shared: int) -> int:
    return min(most, shared) if shared else most


def _demand(name: str, value: int, most: int, cluster: Cluster) -> int:
    return int(checked(name, value, Range(1, most, f"on cluster {cluster.name}"), whole=True))
