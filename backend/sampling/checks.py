"""What can go wrong in a simulation, and what is said of it.

Every error has a name that never changes, for programs, and one line for people: what happened,
where, the likely cause, and what to try.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from backend.sampling.result import SimulationError
from backend.sampling.samples import SERIES, Tally
from backend.settings import RunSettings

TEMPERATURE_TOLERANCE = 0.25
"""By what share the temperature of a tally may be off: five standard deviations and more."""

ENERGY_TOLERANCE = 0.05
"""How far the total energy may drift without a thermostat, as a share of the kinetic energy."""

LARGEST_FIRST_FORCE = 1000.0
"""Largest force that relaxation may leave (k_BT per ion diameter): that of a pair in contact with
some 60 k_BT, several times what ions meet with in equilibrium."""

SMALLER_STEP = "try a smaller time step than {time_step:g} τ"
TOO_LARGE = f"the time step is likely too large: {SMALLER_STEP}"


class Trouble(NamedTuple):
    """Something that ends a simulation.

    Attributes
    ----------
    name : str
        For programs.
    what : str
        What happened; may have a place for ``{value}``.
    advice : str
        Likely cause, and what to try; may have a place for ``{time_step}``.
    """

    name: str
    what: str
    advice: str

    def error(
        self, settings: RunSettings, step: int, replica: int, value: float = math.nan
    ) -> SimulationError:
        """The error that it is at a time step of a replica."""
        what, advice = self.what.format(value=value), self.advice.format_map(settings.to_dict())
        return SimulationError(f"{what} at step {step} of replica {replica}: {advice}", self.name)


NOT_FINITE = Trouble("not-finite", "a position is no longer a finite number", TOO_LARGE)
THROUGH_WALL = Trouble("ion-through-wall", "an ion went through a wall", TOO_LARGE)
TOO_MANY_PAIRS = Trouble(
    "too-many-pairs",
    "ions crowd together beyond what the neighbour list holds",
    f"forces are likely wrong: {SMALLER_STEP}, or a lower concentration",
)
TEMPERATURE = Trouble("temperature", "the temperature is off by {value:+.0%}", TOO_LARGE)
ENERGY = Trouble(
    "energy",
    "the total energy has drifted by {value:+.0%} of the kinetic energy",
    f"{TOO_LARGE}, or a thermostat",
)
OVERLAP = Trouble(
    "overlap",
    "ions overlap however much they are moved apart (force {value:.2g} k_BT per diameter)",
    "the slit is likely too full: try a lower concentration or smaller ions",
)


def within(value: float, limit: float) -> bool:
    """Whether a value is at most so large, up or down; what is no number is not."""
    return abs(value) <= limit


def temperature_error(tally: Tally) -> float:
    """By what share the temperature of a tally differs from that set."""
    return float(tally.series[:, SERIES.index("temperature")].mean()) - 1
