"""Runs that start with all ions at the walls, and with all of them in the middle of the slit.

If equilibration is long enough, sampling does not depend on the start. The production of each
replica is short, so that a remainder of the start would show. Differences are computed in 0.05 nm
bins, in units of the combined standard errors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from backend.engines.numba.engine import run
from backend.sampling.lattice import lattice
from backend.sampling.result import SimulationResult
from backend.settings import RunSettings
from backend.system import SPECIES, SlitSystem
from benchmarks.studies.coarse import coarse
from benchmarks.studies.report import draw_deviations, log

SYSTEMS = {
    "1:−1, default": SlitSystem(),
    "1:−1, 5 nm, 0.1 M, d 0.2 nm": SlitSystem(5.0, 1, -1, 0.1, 0.2),
    "3:−2, 4 nm, coupling 8": SlitSystem(4.0, 3, -2, 0.2, 0.536),
    "2:−1, 5 nm, sizes, charged walls": SlitSystem(
        5.0, 2, -1, 0.1, 0.2, 0.75, surface_charge_density=-0.05
    ),
}

REPLICAS = 3
PRODUCTION = 200.0
"""Production of each replica (τ of the larger ion)."""

DENSEST = 0.3
"""Fraction of the layers at the start that the ions fill."""

MIN_RELATIVE_DENSITY = 0.05
"""Bins are counted if their density is at least this fraction of the maximum."""


def in_the_middle(system: SlitSystem, rng: np.random.Generator) -> np.ndarray:
    """Return positions (nm) of a lattice about the midplane, as thin as the ions allow."""
    return lattice(system, rng, _height(system))


def at_the_walls(system: SlitSystem, rng: np.random.Generator) -> np.ndarray:
    """Return positions (nm) of the same lattice, with each half moved to its wall."""
    positions = in_the_middle(system, rng)
    distance = min(system.contact_planes) - _height(system) / 2
    positions[2] += np.where(positions[2] < 0, -distance, distance)
    return positions


def _height(system: SlitSystem) -> float:
    largest = 2 * min(system.contact_planes)
    return largest * min(1.0, max(0.25, system.packing_fraction / DENSEST))


STARTS: dict[str, Callable[[SlitSystem, np.random.Generator], np.ndarray]] = {
    "walls": at_the_walls,
    "middle": in_the_middle,
}


@dataclass(frozen=True)
class Comparison:
    """Difference between the starts for one system and species.

    Attributes
    ----------
    system, species : str
    z : list of float
        Bin centres (nm).
    deviations : list of float
        Difference in combined standard errors.
    equilibration_tau, relaxation_tau, autocorrelation_tau : dict of str to float
        By start, the length of the equilibration, the slowest relaxation time measured in it, and
        the longest autocorrelation time in a replica of the production (τ of the smaller ion).
    """

    system: str
    species: str
    z: list[float]
    deviations: list[float]
    equilibration_tau: dict[str, float]
    relaxation_tau: dict[str, float]
    autocorrelation_tau: dict[str, float]

    @property
    def chi_square(self) -> float:
        """Reduced χ² of the differences."""
        return float(np.mean(np.square(self.deviations)))

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as JSON values."""
        return asdict(self)


def compare(name: str, system: SlitSystem, replicas: int = REPLICAS) -> list[Comparison]:
    """Simulate a system from both starts and compare the profiles of each species."""
    ns = PRODUCTION * system.diameter_ratio * system.time_unit_ns * replicas
    results = {
        start: run(
            system,
            RunSettings(duration_ns=math.ceil(1000 * ns) / 1000, replicas=replicas, seed=seed),
            threads=2,
            start=positions,
        )
        for seed, (start, positions) in enumerate(STARTS.items(), start=31)
    }
    return [_compared(name, species, results) for species in SPECIES]


def _compared(name: str, species: str, results: dict[str, SimulationResult]) -> Comparison:
    (z, density, error), (_, other, other_error) = (coarse(r, species) for r in results.values())
    counted = density >= MIN_RELATIVE_DENSITY * density.max()
    deviations = (other - density)[counted] / np.hypot(error, other_error)[counted]
    summaries = {start: result.summary for start, result in results.items()}
    found = {start: each.equilibration for start, each in summaries.items()}
    checks = {start: each.checks for start, each in summaries.items()}
    return Comparison(
        name,
        species,
        z[counted].tolist(),
        deviations.tolist(),
        {start: each.duration_tau for start, each in found.items() if each},
        {start: each.duration_tau / each.lengths for start, each in found.items() if each},
        {start: each.autocorrelation_time_tau for start, each in checks.items() if each},
    )


def measure() -> list[Comparison]:
    """Compare both starts for all systems."""
    found = []
    for name, system in SYSTEMS.items():
        found += compare(name, system)
        log(f"{name}: reduced χ² {', '.join(f'{each.chi_square:.2f}' for each in found[-2:])}")
    return found


def rows(found: list[Comparison]) -> list[list[str]]:
    """Table of the differences by system and species."""
    table = [
        [
            "",
            "ions",
            "bins",
            "reduced χ²",
            "largest deviation",
            "equilibration (τ)",
            "relaxation (τ)",
            "in production (τ)",
        ]
    ]
    for each in found:
        table.append(
            [
                each.system,
                each.species,
                str(len(each.deviations)),
                f"{each.chi_square:.2f}",
                f"{np.abs(each.deviations).max():.1f}",
                " | ".join(f"{tau:.0f}" for tau in each.equilibration_tau.values()),
                " | ".join(f"{tau:.1f}" for tau in each.relaxation_tau.values()),
                " | ".join(f"{tau:.1f}" for tau in each.autocorrelation_tau.values()),
            ]
        )
    return table


def draw(found: list[Comparison]) -> None:
    """Draw the differences against z, one panel per system."""
    draw_deviations("starts", found, (2, 2), "middle − walls")
