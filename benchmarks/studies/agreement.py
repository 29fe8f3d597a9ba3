"""Agreement of profiles between our engine and LAMMPS.

Six systems cover all valencies and both kinds of wall; the seeds are fixed below. The LAMMPS
profile is a histogram from 40 blocks. Deviations are computed in 0.05 nm bins, in units of the
combined standard errors. For this number of blocks, Student's t distribution gives a reduced χ² of
1.05 for perfect agreement.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from backend.engines.lammps.engine import run as run_lammps
from backend.engines.numba.engine import run
from backend.sampling.result import SimulationResult
from backend.settings import RunSettings
from backend.system import SPECIES, SlitSystem
from benchmarks.studies.coarse import coarse
from benchmarks.studies.report import draw_deviations, log

SYSTEMS = {
    "1:−1, default": SlitSystem(),
    "3:−1, paper II": SlitSystem(3.6, 3, -1, 0.9, 0.75),
    "1:−1, plane wall": SlitSystem(3.0, 1, -1, 0.9, 0.5, wall="plane"),
    "2:−1, plane wall": SlitSystem(3.3, 2, -1, 0.5, 0.6, wall="plane"),
    "1:−2": SlitSystem(3.5, 1, -2, 0.35, 0.65),
    "2:−1, sizes, charged walls": SlitSystem(
        3.0, 2, -1, 0.6, 0.5, 0.7, surface_charge_density=-0.02
    ),
}

OURS = RunSettings(duration_ns=10.0, seed=11)
LAMMPS = RunSettings(duration_ns=1.5, seed=12, engine="lammps")
MIN_RELATIVE_DENSITY = 0.05
"""Bins are counted if their density is at least this fraction of the maximum."""


@dataclass(frozen=True)
class Agreement:
    """Deviations between the engines for one system and species.

    Attributes
    ----------
    system, species : str
    z : list of float
        Bin centres (nm).
    deviations, relative : list of float
        Difference in combined standard errors, and relative to our density.
    """

    system: str
    species: str
    z: list[float]
    deviations: list[float]
    relative: list[float]

    def to_dict(self) -> dict[str, Any]:
        """Return the deviations as JSON values."""
        return asdict(self)


def measure() -> list[Agreement]:
    """Run both engines for all systems."""
    found = []
    for name, system in SYSTEMS.items():
        ours = run(system, OURS, threads=2)
        theirs = run_lammps(system, LAMMPS, threads=2)
        for species in SPECIES:
            found.append(_compared(name, species, ours, theirs))
            chi2 = np.mean(np.square(found[-1].deviations))
            log(f"{name}, {species}: reduced χ² {chi2:.2f}")
    return found


def _compared(
    name: str, species: str, ours: SimulationResult, theirs: SimulationResult
) -> Agreement:
    z, density, error = coarse(ours, species)
    _, other, other_error = coarse(theirs, species)
    counted = density >= MIN_RELATIVE_DENSITY * density.max()
    difference = (other - density)[counted]
    return Agreement(
        name,
        species,
        z[counted].tolist(),
        (difference / np.hypot(error, other_error)[counted]).tolist(),
        (difference / density[counted]).tolist(),
    )


def summary(found: list[Agreement]) -> dict[str, Any]:
    """Compute the reduced χ² and the largest deviation over all systems and species."""
    deviations = np.concatenate([each.deviations for each in found])
    return {
        "bins": len(deviations),
        "reduced_chi2": float(np.mean(deviations**2)),
        "largest_deviation": float(np.abs(deviations).max()),
    }


def rows(found: list[Agreement]) -> list[list[str]]:
    """Table of the agreement by system and species."""
    table = [["", "ions", "bins", "reduced χ²", "largest deviation", "rms difference"]]
    for each in found:
        deviations = np.array(each.deviations)
        table.append(
            [
                each.system,
                each.species,
                str(len(deviations)),
                f"{np.mean(deviations**2):.2f}",
                f"{np.abs(deviations).max():.1f}",
                f"{np.sqrt(np.mean(np.square(each.relative))):.2%}",
            ]
        )
    total = summary(found)
    table.append(
        [
            "all",
            "",
            str(total["bins"]),
            f"{total['reduced_chi2']:.2f}",
            f"{total['largest_deviation']:.1f}",
            "",
        ]
    )
    return table


def draw(found: list[Agreement]) -> None:
    """Draw the deviations against z, one panel per system."""
    draw_deviations("agreement", found, (2, 3), "LAMMPS − ours")
