"""Cost of a time step in the Numba engine."""

from __future__ import annotations

from backend.settings import RunSettings
from backend.system import SlitSystem

SECONDS_PER_PAIR = 0.85e-9
"""Coulomb force of one pair, on an ordinary core with 256-bit vectors (s)."""

SECONDS_PER_ION = 40e-9
"""Plane-wave forces on one ion, per evaluation of the Coulomb forces (s)."""

SECONDS_PER_STEP_AND_ION = 35e-9
"""All other work in one time step, per ion (s)."""


def seconds_per_step(system: SlitSystem, settings: RunSettings) -> float:
    """Estimate the duration of one time step of one replica (s)."""
    ions = system.ion_count
    coulomb = ions * (ions - 1) / 2 * SECONDS_PER_PAIR + ions * SECONDS_PER_ION
    return coulomb / settings.coulomb_split + ions * SECONDS_PER_STEP_AND_ION
