"""Plans of data for slits of all kinds: ``python -m nanoconf.data.slit_plans``.

Each plan draws from the domain of `RANGES`; `SHARES` gives the fractions of systems with one input
fixed. Every pair of valencies has its own scrambled Sobol sequence and a sixth of the systems, so
the beginning of a plan is spread over the domain as evenly as the whole. Systems outside the limits
`MAXIMUM_COUPLING` and `MAXIMUM_PACKING`, or refused by `SlitSystem`, are skipped. No plan sets the
number of ions: the box is the default one, which is large enough for every system.
"""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend import constants
from backend.files import write_text
from backend.settings import RunSettings
from backend.system import InvalidInput, SlitSystem
from nanoconf.data.plans import DIGITS, VARIED_VALENCIES, spread

RANGES = {
    "confinement_length": (2.0, 5.0),
    "log_concentration": (math.log(0.1), math.log(2.0)),
    "positive_diameter": (0.2, 0.75),
    "negative_diameter": (0.2, 0.75),
    "surface_charge_density": (-0.05, 0.0),
    "bjerrum_length": (0.4, 1.2),
}
"""Ranges of the inputs (nm, ln M, nm, nm, C/m², nm)."""

SHARES = {
    "equal diameters": 1 / 5,
    "uncharged walls": 1 / 4,
    "water": 1 / 3,
    "plane walls": 1 / 4,
}
"""Shares of the systems with d₋ = d₊, σ = 0, the permittivity of water, and walls ``plane``."""

MAXIMUM_COUPLING = 8.0
"""Largest z₊ |z₋| l_B / d, where d is the mean diameter of the two ions."""

MAXIMUM_PACKING = 0.30
"""Largest fraction of the slit's volume that the ions fill."""

LONGEST_NS = 500.0
"""Production time after which a run that has not converged counts as failed (ns)."""

WEAK_COUPLING = 2.1
"""Largest coupling at which `coulomb_split` has its default value."""

DEFAULT_SPLIT = RunSettings.coulomb_split

FOLDER = Path(__file__).resolve().parents[2] / "data" / "plans"

COLUMNS = (
    "confinement_length",
    "positive_valency",
    "negative_valency",
    "salt_concentration",
    "positive_diameter",
    "negative_diameter",
    "wall",
    "surface_charge_density",
    "temperature",
    "relative_permittivity",
    "seed",
    "target_error",
    "duration_ns",
    "coulomb_split",
)


@dataclass(frozen=True)
class Plan:
    """A plan in the repository.

    Attributes
    ----------
    systems : int
        Number of systems.
    seed : int
        Seed of the sequences, and of the seeds of the runs.
    target_error : float
        Median relative error at which a run ends.
    """

    systems: int
    seed: int
    target_error: float


PLANS = {
    "validation": Plan(300, 601, 0.003),
    "test": Plan(200, 602, 0.002),
    "training": Plan(4000, 603, 0.005),
}


def systems(number: int, seed: int) -> list[SlitSystem]:
    """Return the first systems of the sequences of a seed; pairs of valencies take turns."""
    pairs = len(VARIED_VALENCIES)
    turns = -(-number // pairs)
    of_pairs = [_of_pair(turns, seed, *pair) for pair in VARIED_VALENCIES]
    return list(itertools.chain(*zip(*of_pairs, strict=True)))[:number]


def _of_pair(number: int, seed: int, positive: int, negative: int) -> list[SlitSystem]:
    ranges = RANGES | dict.fromkeys(SHARES, (0.0, 1.0))
    drawn = number
    while True:
        points = spread(ranges, drawn, [seed, positive, -negative])
        drawn_systems = (_system(point, positive, negative) for point in points)
        possible = [system for system in drawn_systems if system is not None]
        if len(possible) >= number:
            return possible[:number]
        drawn *= 2


def _system(point: dict[str, float], positive: int, negative: int) -> SlitSystem | None:
    """Return the system of a point of the sequence; None if it is outside the domain."""
    fixed = {name: point[name] < share for name, share in SHARES.items()}
    diameter = point["positive_diameter"]
    inputs: dict[str, Any] = {
        "confinement_length": point["confinement_length"],
        "salt_concentration": round(math.exp(point["log_concentration"]), DIGITS),
        "positive_diameter": diameter,
        "negative_diameter": diameter if fixed["equal diameters"] else point["negative_diameter"],
        "wall": "plane" if fixed["plane walls"] else "ion",
    }
    if not fixed["uncharged walls"]:
        inputs["surface_charge_density"] = point["surface_charge_density"]
    if not fixed["water"]:
        water = SlitSystem()
        permittivity = water.relative_permittivity * water.bjerrum_length / point["bjerrum_length"]
        inputs["relative_permittivity"] = round(permittivity, DIGITS)
    try:
        system = SlitSystem(positive_valency=positive, negative_valency=negative, **inputs)
    except InvalidInput:
        return None
    return system if _within(system) else None


def _within(system: SlitSystem) -> bool:
    return system.coupling <= MAXIMUM_COUPLING and system.packing_fraction <= MAXIMUM_PACKING


def coulomb_split(system: SlitSystem) -> int:
    """Return the number of time steps between Coulomb forces: fewer where they are strong.

    The default is accurate enough for the profiles of the paper's systems; these data are to be
    more accurate (docs/trust.md).
    """
    if system.has_stiff_coulomb_forces:
        return 1
    return 3 if system.coupling > WEAK_COUPLING else DEFAULT_SPLIT


def table(plan: Plan) -> str:
    """Return a plan as CSV."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for number, system in enumerate(systems(plan.systems, plan.seed)):
        own = {
            "seed": plan.seed * 1_000_000 + number,
            "target_error": plan.target_error,
            "duration_ns": LONGEST_NS,
            "coulomb_split": coulomb_split(system),
        }
        values = system.to_dict() | own
        writer.writerow({name: values[name] for name in COLUMNS})
    return stream.getvalue()


def main() -> int:
    """Write the plans."""
    parser = argparse.ArgumentParser(prog="python -m nanoconf.data.slit_plans", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER, help="default: %(default)s")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, plan in PLANS.items():
        write_text(folder / f"{name}.csv", table(plan))
        print(f"{plan.systems} systems in {folder / name}.csv")
    return 0


if __name__ == "__main__":
    sys.exit(main())
