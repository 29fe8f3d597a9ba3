"""Cost of a time step of the Numba engine."""

from __future__ import annotations

from backend.settings import RunSettings
from backend.system import SlitSystem

SECONDS_PER_PAIR = 0.85e-9
"""The Coulomb force of a pair, on a plain core with 256-bit vectors."""

SECONDS_PER_ION = 40e-9
"""The waves' forces on an ion, once for each Coulomb force."""

SECONDS_PER_STEP_AND_ION = 35e-9
"""Everything else in one time step, for each ion."""


def seconds_per_step(system: SlitSystem, settings: RunSettings) -> float:
    """Estimate of the seconds that one time step of one replica takes."""
    ions = system.ion_count
    coulomb = ions * (ions - 1) / 2 * SECONDS_PER_PAIR + ions * SECONDS_PER_ION
    return coulomb / settings.coulomb_split + ions * SECONDS_PER_STEP_AND_ION
