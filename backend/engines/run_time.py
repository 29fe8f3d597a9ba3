"""Estimated duration of a simulation."""

from __future__ import annotations

from dataclasses import replace

from backend.engines import registry
from backend.sampling import equilibration
from backend.sampling.schedule import Schedule
from backend.settings import RunSettings
from backend.system import SlitSystem

START_UP_SECONDS = 2.0
"""Time from the start of a worker to its first report."""


def estimated_seconds(
    system: SlitSystem, settings: RunSettings, cores: int, slowdown: float = 1.0
) -> float:
    """Estimate the duration of a run (s).

    Parameters
    ----------
    system, settings
        The simulated system and the settings of the run.
    cores : int
        Number of available processor cores.
    slowdown : float
        Ratio of measured to estimated duration of an earlier run on this computer.
    """
    schedule = Schedule.of(system, settings)
    chunks = equilibration.expected(system, schedule.equilibration)
    steps = replace(schedule, equilibration=chunks).steps(settings)
    rounds = -(-settings.replicas // _parallel(settings, cores))
    return START_UP_SECONDS + slowdown * steps / settings.replicas * rounds * seconds_per_step(
        system, settings
    )


def seconds_per_step(system: SlitSystem, settings: RunSettings) -> float:
    """Estimate the duration of one time step of one replica (s)."""
    return registry.get(settings.engine).seconds_per_step(system, settings)


def in_words(seconds: float) -> str:
    """Format an estimated time, rounded to its accuracy."""
    if seconds < 1.5:
        return "1 s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def slowdown(
    system: SlitSystem, settings: RunSettings, cores: int, steps_per_second: float
) -> float:
    """Return the ratio of measured to estimated time per step.

    Parameters
    ----------
    system, settings
        The simulated system and the settings of the run.
    cores : int
        Number of available processor cores.
    steps_per_second : float
        Measured time steps per second, summed over the replicas.
    """
    parallel = _parallel(settings, cores)
    return parallel / steps_per_second / seconds_per_step(system, settings)


def _parallel(settings: RunSettings, cores: int) -> int:
    """Return the number of replicas that run at the same time."""
    if registry.get(settings.engine).all_at_once:
        return settings.replicas
    return min(settings.replicas, cores)
