"""Profiles as a function of one input, predicted and simulated."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.profiles.density import SlitProfiles
from backend.runs.run import DamagedRun
from backend.runs.run_state import RunState
from backend.system import SPECIES, SlitSystem
from nanoconf.surrogate.domain import INPUTS

if TYPE_CHECKING:
    from backend.runs.run import Run
    from nanoconf.surrogate import Surrogate

QUANTITIES = ("contact", "peak", "mid")
"""Densities of a profile: at the contact plane, at the peak and at the midplane."""


@dataclass(frozen=True)
class Trend:
    """Predicted profiles for several values of one input.

    Attributes
    ----------
    name : str
        Input that varies.
    values : ndarray, shape (points,)
        Values of the input.
    systems : list of SlitSystem
        System of each point.
    profiles : list of SlitProfiles
        Profiles of each point.
    """

    name: str
    values: np.ndarray
    systems: list[SlitSystem]
    profiles: list[SlitProfiles]

    def densities(self, quantity: str, species: str) -> np.ndarray:
        """Return one of `QUANTITIES` (M) of one species at each point, shape (points,)."""
        found = []
        for system, profiles in zip(self.systems, self.profiles, strict=True):
            profile = profiles.by_species()[species]
            if quantity == "contact":
                found.append(profile.contact_density(system, species))
            else:
                found.append(getattr(profile, f"{quantity}_density"))
        return np.array(found)


def trend(surrogate: Surrogate, system: SlitSystem, name: str, values: Sequence[float]) -> Trend:
    """Predict the profiles for several values of one input.

    Parameters
    ----------
    surrogate : Surrogate
    system : SlitSystem
        Values of the other inputs.
    name : str
        Input that varies. Equal diameters vary together.
    values : sequence of float
        Values of the input.

    Raises
    ------
    InvalidInput
        If a value is not allowed, or is outside the training range of the surrogate.
    """
    systems = [varied(system, name, value) for value in values]
    predictions = surrogate.predict_many(systems)
    return Trend(name, np.array(values), systems, [each.profiles for each in predictions])


def varied(system: SlitSystem, name: str, value: float) -> SlitSystem:
    """Return the system with another value of an input; equal diameters stay equal."""
    changes: dict[str, Any] = {name: value}
    if name == "positive_diameter" and system.negative_diameter == system.positive_diameter:
        changes["negative_diameter"] = value
    return replace(system, **changes)


@dataclass(frozen=True)
class SimulatedPoint:
    """Simulated densities at one value of the input of a trend.

    Attributes
    ----------
    value : float
        Value of the input.
    run_id : str
        ID of the run.
    converged : bool
        False if the run is known not to have converged.
    densities, errors : dict of str to dict of str to float
        Densities and their standard errors (M), by species and quantity.
    """

    value: float
    run_id: str
    converged: bool
    densities: dict[str, dict[str, float]]
    errors: dict[str, dict[str, float]]


def simulated_points(runs: Iterable[Run], system: SlitSystem, name: str) -> list[SimulatedPoint]:
    """Return the finished runs that match a system except in the named input, sorted by its value.

    If there are several runs of a system, the longest is used.
    """
    by_value: dict[float, list[Run]] = {}
    for run in runs:
        value = run.request["system"].get(name)
        if _is_on_trend(run, system, name, value) and run.state == RunState.DONE:
            by_value.setdefault(value, []).append(run)
    points = (_longest(value, by_value[value]) for value in sorted(by_value))
    return [point for point in points if point is not None]


def _longest(value: float, runs: list[Run]) -> SimulatedPoint | None:
    """Return the densities of the longest run whose result is intact."""
    for run in sorted(runs, key=lambda run: run.length_ns, reverse=True):
        with contextlib.suppress(DamagedRun, KeyError):
            return _point(value, run)
    return None


def _is_on_trend(run: Run, system: SlitSystem, name: str, value: Any) -> bool:
    if value is None:
        return False
    inputs = run.request["system"]
    # cheap comparisons first, before a system is constructed
    others = [other for other in INPUTS if other not in (name, "positive_diameter")]
    if any(inputs.get(other) != getattr(system, other) for other in others):
        return False
    return run.system == varied(system, name, value)


def _point(value: float, run: Run) -> SimulatedPoint:
    summary = run.result().summary
    values, errors = summary.densities_M, summary.density_errors_M
    return SimulatedPoint(
        value,
        run.id,
        not summary.unconverged,
        {species: {q: values[species][q] for q in QUANTITIES} for species in SPECIES},
        {species: {q: errors[species][q] for q in QUANTITIES} for species in SPECIES},
    )
