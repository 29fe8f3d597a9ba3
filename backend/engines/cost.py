"""How long a simulation takes."""

from __future__ import annotations

from backend.engines import registry
from backend.sampling.schedule import Schedule
from backend.settings import RunSettings
from backend.system import SlitSystem

START_UP_SECONDS = 2.0
"""A worker's start and its first report."""


def estimated_seconds(
    system: SlitSystem, settings: RunSettings, cores: int, slowdown: float = 1.0
) -> float:
    """Estimate of the seconds that a run takes.

    Parameters
    ----------
    system, settings
        What is simulated, and how.
    cores : int
        Processor cores it may use.
    slowdown : float
        Seconds that an earlier run took here, over what `seconds_per_step` says of it.
    """
    steps = Schedule.of(system, settings).steps(settings)
    rounds = -(-settings.replicas // min(cores, settings.replicas))
    return START_UP_SECONDS + slowdown * steps / settings.replicas * rounds * seconds_per_step(
        system, settings
    )


def seconds_per_step(system: SlitSystem, settings: RunSettings) -> float:
    """Estimate of the seconds that one time step of one replica takes."""
    return registry.get(settings.engine).seconds_per_step(system, settings)
