"""Cost of a time step in LAMMPS."""

from __future__ import annotations

from backend.settings import RunSettings
from backend.system import SlitSystem

SECONDS_PER_STEP_AND_ION = 1.8e-6
"""Duration of one LAMMPS time step per ion, on one core (s)."""


def seconds_per_step(system: SlitSystem, settings: RunSettings) -> float:
    """Estimate the duration of one time step of one replica (s)."""
    return system.ion_count * SECONDS_PER_STEP_AND_ION
