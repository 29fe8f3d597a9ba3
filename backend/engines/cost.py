"""How long a simulation takes."""

from __future__ import annotations

from backend.sampling.schedule import Schedule
from backend.settings import RunSettings
from backend.system import SlitSystem

SECONDS_PER_PAIR = 0.85e-9
"""The Coulomb force of a pair, on a plain core with 256-bit vectors."""

SECONDS_PER_ION = 40e-9
"""The waves' forces on an ion, once for each Coulomb force."""

SECONDS_PER_STEP_AND_ION = 35e-9
"""Everything else in one time step, for each ion."""

LAMMPS_SECONDS_PER_ION = 1.8e-6
"""All that LAMMPS does in one time step, for each ion."""

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
    ions = system.ion_count
    if settings.engine == "lammps":
        return ions * LAMMPS_SECONDS_PER_ION
    coulomb = ions * (ions - 1) / 2 * SECONDS_PER_PAIR + ions * SECONDS_PER_ION
    return coulomb / settings.coulomb_split + ions * SECONDS_PER_STEP_AND_ION
