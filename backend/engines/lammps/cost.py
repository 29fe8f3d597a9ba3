"""Cost of a time step of LAMMPS."""

from __future__ import annotations

from backend.settings import RunSettings
from backend.system import SlitSystem

SECONDS_PER_STEP_AND_ION = 1.8e-6
"""All that LAMMPS does in one time step, for each ion, on one core."""


def seconds_per_step(system: SlitSystem, settings: RunSettings) -> float:
    """Estimate of the seconds that one time step of one replica takes."""
    return system.ion_count * SECONDS_PER_STEP_AND_ION
