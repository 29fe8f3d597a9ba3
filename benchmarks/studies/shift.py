"""Shift of a profile when a setting of the simulation is changed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from backend.engines.numba.engine import run
from backend.sampling.result import SimulationResult
from backend.settings import RunSettings
from backend.system import SPECIES, SlitSystem
from benchmarks.contenders import SYSTEMS
from benchmarks.studies.coarse import coarse
from benchmarks.studies.report import log

DURATION_NS = 10.0


@dataclass(frozen=True)
class Variant:
    """Settings of a simulation; the first variant of a study is the reference for the others."""

    name: str
    settings: dict[str, Any]
    system: dict[str, Any] | None = None


STUDIES = {
    "time step": [
        Variant("0.001 τ, all forces every step", {"time_step": 0.001, "coulomb_split": 1}),
        Variant("0.0025 τ", {"time_step": 0.0025}),
        Variant("0.005 τ, all forces every step", {"coulomb_split": 1}),
        Variant("0.005 τ (default)", {}),
        Variant("0.005 τ, long-range forces every 9 steps", {"coulomb_split": 9}),
        Variant("0.0075 τ", {"time_step": 0.0075}),
        Variant("0.01 τ", {"time_step": 0.01}),
    ],
    "thermostat": [
        Variant("Nosé-Hoover chain", {"thermostat": "nose-hoover"}),
        Variant("Langevin (default)", {}),
    ],
    "box": [
        Variant("four times the area", {}, {"negative_ions": 4}),
        Variant("twice the area", {}, {"negative_ions": 2}),
        Variant("default", {}),
        Variant("half the area, or the smallest allowed", {}, {"negative_ions": 0.5}),
    ],
    "precision": [
        Variant("double", {"precision": "double"}),
        Variant("single (default)", {}),
    ],
    "electrostatics": [
        Variant("periodic, twice the area", {}, {"negative_ions": 2}),
        Variant("periodic (default)", {}),
        Variant("sheets", {"electrostatics": "sheets"}),
        Variant("sheets, twice the area", {"electrostatics": "sheets"}, {"negative_ions": 2}),
    ],
    # few variants, so that runs can be long enough to resolve small shifts
    "defaults": [
        Variant("default", {}),
        Variant("all forces every step", {"coulomb_split": 1}),
        Variant("long-range forces every 3 steps", {"coulomb_split": 3}),
        Variant("half the area, or the smallest allowed", {}, {"negative_ions": 0.5}),
    ],
}
"""Variants by study; `negative_ions` is a multiple of the default number."""


@dataclass(frozen=True)
class Shift:
    """Difference between the profile of a species and that of the first variant.

    Attributes
    ----------
    study, system, variant, species : str
    z, relative, error : list of float
        Bin centres (nm), difference relative to the density, and its standard error.
    shift, noise : float
        Relative L2 norm of the difference, and the value expected from the standard errors if there
        were no difference.
    """

    study: str
    system: str
    variant: str
    species: str
    z: list[float]
    relative: list[float]
    error: list[float]
    shift: float
    noise: float

    def to_dict(self) -> dict[str, Any]:
        """Return the shift as JSON values."""
        return asdict(self)


def measure(study: str, duration_ns: float = DURATION_NS) -> list[Shift]:
    """Simulate all variants of a study and compare them with the first."""
    shifts = []
    for name, system in SYSTEMS.items():
        reference: SimulationResult | None = None
        for seed, variant in enumerate(STUDIES[study], start=101):
            result = _simulate(system, variant, seed, duration_ns)
            timings = result.summary.timings
            assert timings is not None
            log(f"{study}, {name}, {variant.name}: {timings.seconds:.0f} s")
            if reference is None:
                reference = result
                continue
            for species in SPECIES:
                shifts.append(_shift(study, name, variant.name, species, result, reference))
    return shifts


def _simulate(
    system: SlitSystem, variant: Variant, seed: int, duration_ns: float
) -> SimulationResult:
    if variant.system:
        multiple = system.positive_valency
        ions = round(variant.system["negative_ions"] * system.counts[1] / multiple) * multiple
        system = system.replace(negative_ions=max(ions, system.fewest_negative_ions))
    settings = RunSettings(duration_ns=duration_ns, seed=seed, **variant.settings)
    return run(system, settings, threads=2)


def _shift(
    study: str,
    system: str,
    variant: str,
    species: str,
    result: SimulationResult,
    reference: SimulationResult,
) -> Shift:
    z, density, error = coarse(result, species)
    _, other, other_error = coarse(reference, species)
    counted = other >= 0.05 * other.max()
    z, density, other = z[counted], density[counted], other[counted]
    both = np.hypot(error, other_error)[counted]
    return Shift(
        study,
        system,
        variant,
        species,
        z.tolist(),
        (density / other - 1).tolist(),
        (both / other).tolist(),
        float(np.linalg.norm(density - other) / np.linalg.norm(other)),
        float(np.linalg.norm(both) / np.linalg.norm(other)),
    )


def rows(shifts: list[Shift]) -> list[list[str]]:
    """Table of the shifts."""
    table = [["", "system", "ions", "shift", "expected from the error bars"]]
    for each in shifts:
        table.append(
            [
                each.variant,
                each.system,
                each.species,
                f"{each.shift:.2%}",
                f"{each.noise:.2%}",
            ]
        )
    return table
