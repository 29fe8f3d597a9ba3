"""Length of the equilibration, which depends on the relaxation times measured in it.

Relaxation times span two orders of magnitude over the systems that can be simulated, so no fixed
time suits them all. Every run equilibrates for `schedule.EQUILIBRATION_TIME` and is extended step
by step until it spans `MEASURED_TIMES` of the slowest relaxation time measured so far. All lengths
are whole numbers of chunks, so the length does not depend on interruptions or on the computer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from backend.sampling import estimators
from backend.sampling.dynamics import FRICTION
from backend.sampling.schedule import EQUILIBRATION_TIME
from backend.sampling.summary import Equilibration
from backend.system import SlitSystem

SLOW = ("dipole", "middle", "contact")
"""Series whose relaxation times are measured."""

MEASURED_TIMES = 40.0
"""Minimum length of the equilibration, in relaxation times measured in it.

A time measured in so short a series may be too small by a factor of four (docs/engine.md), so 40
measured times are at least ten actual ones."""

GROWTH = 1.5
"""Ratio of successive lengths."""

LONGEST = 50
"""Largest length, in units of the shortest."""


@dataclass(frozen=True)
class Measured:
    """Relaxation times measured during the equilibration of a run.

    Attributes
    ----------
    rows : int
        Length of the shortest equilibration of a replica (rows of the series).
    times : dict of str to float
        Relaxation time of each series of `SLOW` (rows), averaged over the replicas.
    """

    rows: int
    times: dict[str, float]

    @classmethod
    def of(cls, series: list[np.ndarray]) -> Measured:
        """Measure the relaxation times in the series of each replica, shape (rows, len(SLOW))."""
        times = {
            name: float(np.mean([estimators.autocorrelation_rows(each[:, i]) for each in series]))
            for i, name in enumerate(SLOW)
        }
        return cls(min(len(each) for each in series), times)

    @property
    def lengths(self) -> float:
        """Length in relaxation times of the slowest series."""
        return self.rows / max(self.times.values())

    @property
    def sufficient(self) -> bool:
        """True if the equilibration is long enough."""
        return self.lengths >= MEASURED_TIMES

    def summary(self, system: SlitSystem, row_time: float) -> Equilibration:
        """Return the section of a run's summary; `row_time` (τ) is the time between rows."""
        duration = self.rows * row_time
        return Equilibration(
            duration_tau=duration,
            duration_ns=duration * system.time_unit_ns,
            relaxation_times_tau={name: rows * row_time for name, rows in self.times.items()},
            lengths=self.lengths,
        )


def expected(system: SlitSystem, chunks: int) -> int:
    """Estimate the length (chunks) from the shortest one; used only to predict the run time.

    Free ions with the friction of the Langevin thermostat relax in (h/2πd)²/2 τ; collisions and
    Coulomb forces change this by a factor of two or so.
    """
    width = system.confinement_length / max(system.diameters)
    relaxation = (width / (2 * math.pi)) ** 2 * FRICTION
    ratio = MEASURED_TIMES * relaxation / EQUILIBRATION_TIME
    return math.ceil(chunks * min(max(1.0, ratio), LONGEST))


def longer(chunks: int, shortest: int) -> int:
    """Return the next length of the equilibration (chunks), or 0 if it is too long."""
    return following if (following := math.ceil(GROWTH * chunks)) <= LONGEST * shortest else 0
