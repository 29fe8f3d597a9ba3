"""Errors that a simulation detects, with their messages.

Every error has a stable name for programs and a one-line message for people, which states the
problem, where it occurred, its likely cause, and a remedy.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from backend.sampling.result import SimulationError
from backend.sampling.samples import SERIES, Tally
from backend.settings import RunSettings

TEMPERATURE_TOLERANCE = 0.25
"""Largest relative error of the temperature of a tally; at least five standard deviations."""

ENERGY_TOLERANCE = 0.05
"""Largest drift of the total energy without a thermostat, as a fraction of the kinetic energy."""

LARGEST_FIRST_FORCE = 1000.0
"""Largest force allowed after relaxation (k_BT per ion diameter): the force of a pair with an
energy of about 60 k_BT, several times what occurs in equilibrium."""

SMALLER_STEP = "try a smaller time step than {time_step:g} τ"
TOO_LARGE = f"the time step is likely too large: {SMALLER_STEP}"


class Problem(NamedTuple):
    """Problem that ends a simulation.

    Attributes
    ----------
    name : str
        Name for programs.
    what : str
        Description; may contain ``{value}``.
    advice : str
        Likely cause and remedy; may contain ``{time_step}``.
    """

    name: str
    what: str
    advice: str

    def error(
        self, settings: RunSettings, step: int, replica: int, value: float = math.nan
    ) -> SimulationError:
        """Return the error to raise at a time step of a replica."""
        what, advice = self.what.format(value=value), self.advice.format_map(settings.to_dict())
        return SimulationError(f"{what} at step {step} of replica {replica}: {advice}", self.name)


NOT_FINITE = Problem("not-finite", "a position is no longer a finite number", TOO_LARGE)
THROUGH_WALL = Problem("ion-through-wall", "an ion went through a wall", TOO_LARGE)
TOO_MANY_PAIRS = Problem(
    "too-many-pairs",
    "the neighbour list is full: too many ions are close together",
    f"forces are likely wrong: {SMALLER_STEP}, or a lower concentration",
)
TEMPERATURE = Problem("temperature", "the temperature is off by {value:+.0%}", TOO_LARGE)
ENERGY = Problem(
    "energy",
    "the total energy has drifted by {value:+.0%} of the kinetic energy",
    f"{TOO_LARGE}, or a thermostat",
)
OVERLAP = Problem(
    "overlap",
    "ions still overlap after relaxation (force {value:.2g} k_BT per diameter)",
    "the slit is likely too full: try a lower concentration or smaller ions",
)


def within(value: float, limit: float) -> bool:
    """Return True if a value is at most `limit` in magnitude; False for NaN."""
    return abs(value) <= limit


def temperature_error(tally: Tally) -> float:
    """Return the relative deviation of a tally's temperature from the set temperature."""
    return float(tally.series[:, SERIES.index("temperature")].mean()) - 1
