"""Cost of a time step in the CUDA engine."""

from __future__ import annotations

from backend.settings import RunSettings
from backend.system import SlitSystem

SECONDS_PER_PAIR = 9e-11
"""Time for the Coulomb force of one pair in one thread block (s). A prototype made 20.4 million
time steps a second with some 430 ions on an H200, where 396 blocks run at the same time."""

SECONDS_PER_STEP = 5e-6
"""All other work in one time step (s)."""


def seconds_per_step(system: SlitSystem, settings: RunSettings) -> float:
    """Estimate the duration of one time step of one replica (s).

    All replicas of a run advance at the same time.
    """
    pairs = system.ion_count**2
    one = pairs * SECONDS_PER_PAIR / settings.coulomb_split + SECONDS_PER_STEP
    return one
