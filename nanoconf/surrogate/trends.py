"""How the profiles change with one input: what the surrogate says, and what was simulated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.profiles.density import SlitProfiles
from backend.runs.state import RunState
from backend.system import SPECIES, SlitSystem
from nanoconf.surrogate.domain import INPUTS

if TYPE_CHECKING:
    from backend.runs.run import Run
    from nanoconf.surrogate import Surrogate

QUANTITIES = ("contact", "peak", "mid")
"""Densities that sum a profile up: where ions touch the wall, the largest, the one at z = 0."""


@dataclass(frozen=True)
class Trend:
    """Profiles along one input, the others as they are.

    Attributes
    ----------
    name : str
        The input.
    values : ndarray, shape (points,)
        Its values.
    systems : list of SlitSystem
        The systems.
    profiles : list of SlitProfiles
        Their profiles.
    """

    name: str
    values: np.ndarray
    systems: list[SlitSystem]
    profiles: list[SlitProfiles]

    def densities(self, quantity: str, species: str) -> np.ndarray:
        """One of `QUANTITIES` (M) of one ion along the input, shape (points,)."""
        found = []
        for system, profiles in zip(self.systems, self.profiles, strict=True):
            profile = profiles.by_species()[species]
            if quantity == "contact":
                found.append(profile.contact_density(system, species))
            else:
                found.append(getattr(profile, f"{quantity}_density"))
        return np.array(found)


def trend(surrogate: Surrogate, system: SlitSystem, name: str, values: Sequence[float]) -> Trend:
    """What a surrogate says along one input.

    Parameters
    ----------
    surrogate : Surrogate
    system : SlitSystem
        The other inputs.
    name : str
        The input that varies; both diameters vary together.
    values : sequence of float

    Raises
    ------
    InvalidInput
        A system is none, or the surrogate has not learnt it.
    """
    systems = [varied(system, name, value) for value in values]
    predictions = surrogate.predict_many(systems)
    return Trend(name, np.array(values), systems, [each.profiles for each in predictions])


def varied(system: SlitSystem, name: str, value: float) -> SlitSystem:
    """The system with another value of an input; ions of equal diameter stay so."""
    changes: dict[str, Any] = {name: value}
    if name == "positive_diameter" and system.negative_diameter == system.positive_diameter:
        changes["negative_diameter"] = value
    return replace(system, **changes)


@dataclass(frozen=True)
class SimulatedPoint:
    """A simulation on the way of a trend.

    Attributes
    ----------
    value : float
        Value of the input.
    densities, errors : dict of str to dict of str to float
        Densities and their standard errors (M), by species and quantity.
    """

    value: float
    densities: dict[str, dict[str, float]]
    errors: dict[str, dict[str, float]]


def simulated_points(runs: Iterable[Run], system: SlitSystem, name: str) -> list[SimulatedPoint]:
    """The finished runs that differ from a system in one input at most, in its order.

    Of several runs of one system the longest counts.
    """
    longest: dict[float, Run] = {}
    for run in runs:
        value = run.request["system"].get(name)
        if not _on_the_way(run, system, name, value) or run.state != RunState.DONE:
            continue
        known = longest.get(value)
        if known is None or known.length_ns < run.length_ns:
            longest[value] = run
    return [_point(value, longest[value]) for value in sorted(longest)]


def _on_the_way(run: Run, system: SlitSystem, name: str, value: Any) -> bool:
    if value is None:
        return False
    inputs = run.request["system"]
    # A glance at what is cheap to compare, before a system is made.
    others = [other for other in INPUTS if other not in (name, "positive_diameter")]
    if any(inputs.get(other) != getattr(system, other) for other in others):
        return False
    return run.system == varied(system, name, value)


def _point(value: float, run: Run) -> SimulatedPoint:
    summary = run.result().summary
    values, errors = summary.densities_M, summary.density_errors_M
    return SimulatedPoint(
        value,
        {species: {q: values[species][q] for q in QUANTITIES} for species in SPECIES},
        {species: {q: errors[species][q] for q in QUANTITIES} for species in SPECIES},
    )
