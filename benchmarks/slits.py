"""``python -m benchmarks.slits``: cost of the data for slits of all kinds, and checks of it.

- ``cost PLAN``: core-seconds that the systems of a plan need, from short runs
- ``check DATASET``: convergence and force-to-count ratios of a dataset
- ``lammps DATASET``: profiles of a dataset compared with LAMMPS (χ² in 0.05 nm bins)
- ``published FILE``: our profiles compared with the published ones of charged walls
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from backend.engines.lammps.engine import run as run_lammps
from backend.engines.numba.engine import run
from backend.engines.run_time import seconds_per_step
from backend.inputs import SYSTEM
from backend.profiles.bins import HALF
from backend.profiles.density import significant
from backend.sampling.convergence import TIMES_PER_BLOCK
from backend.sampling.result import SimulationResult
from backend.sampling.schedule import BLOCKS_PER_REPLICA
from backend.settings import RunSettings
from backend.system import SPECIES, SlitSystem
from benchmarks.studies.coarse import coarse
from nanoconf.data import dataset
from nanoconf.data.plans import Item, read_plan
from nanoconf.tables import aligned

# --- cost -----------------------------------------------------------------------------------

TARGETS = (0.005, 0.003, 0.002)


def cost(options: argparse.Namespace) -> None:
    """Print the core-seconds to each target error, from a short run of each system."""
    items = read_plan(options.plan)
    run(SlitSystem(), RunSettings(duration_ns=0.001))  # compiles the engine
    needed = []
    for item in items[: options.systems]:
        needed.append(core_seconds(item, options.seconds))
        texts = ", ".join(f"{each:.0f}" for each in needed[-1])
        print(f"system {item.number}, {item.system.ion_count} ions: {texts} s", flush=True)
    print("\nCore-seconds per system, and core-hours for 1,000 systems:")
    table = [["median error", "mean", "median", "largest", "1,000 systems (h)"]]
    for target, own in zip(TARGETS, np.array(needed).T, strict=True):
        seconds = (f"{each:.0f}" for each in (own.mean(), np.median(own), own.max()))
        table.append([f"{target:.1%}", *seconds, f"{own.mean() / 3.6:.1f}"])
    print(aligned(table))


def core_seconds(item: Item, seconds: float) -> list[float]:
    """Return the core-seconds to each target error, from about `seconds` of sampling."""
    system = item.system
    settings = replace(item.settings, target_error=None)
    steps = seconds / seconds_per_step(system, settings)
    ns = steps * settings.time_step * system.time_unit_ns
    started = time.process_time()
    summary = run(system, replace(settings, duration_ns=max(0.001, ns))).summary
    assert summary.timings and summary.checks and summary.equilibration and summary.simulated_ns
    per_step = (time.process_time() - started) / summary.timings.steps
    least = TIMES_PER_BLOCK * BLOCKS_PER_REPLICA * summary.checks.autocorrelation_time_tau
    sampled = summary.simulated_ns / system.time_unit_ns
    error = summary.median_relative_error
    assert error is not None
    return [
        per_step
        * (summary.equilibration.duration_tau + max(least, sampled * (error / target) ** 2))
        / settings.time_step
        for target in TARGETS
    ]


# --- check ----------------------------------------------------------------------------------

RATIO_TOLERANCE = 0.005


def check(options: argparse.Namespace) -> None:
    """Print the convergence and the force-to-count ratios of a dataset."""
    rows = dataset.read_rows(options.dataset)
    ratio = np.array([row["force_to_count"] for row in rows])
    error = np.array([row["force_to_count_error"] for row in rows])
    beyond = np.abs(ratio - 1) - RATIO_TOLERANCE
    relative = [median_error(row) for row in rows]
    print(
        f"{len(rows) // 2} systems, {sum(row['converged'] for row in rows) // 2} converged; "
        f"median relative error {np.median(relative):.2%}, largest {max(relative):.2%}\n"
        f"force to count: mean deviation {np.mean(ratio - 1):+.3%}, "
        f"reduced χ² {np.mean(((ratio - 1) / error) ** 2):.2f}, "
        f"largest {np.abs(ratio - 1).max():.2%}\n"
        f"beyond {RATIO_TOLERANCE:.1%}: {np.sum(beyond > 0)} of {len(rows)}, "
        f"by more than 2 standard errors: {np.sum(beyond > 2 * error)}, "
        f"by more than 3: {np.sum(beyond > 3 * error)}"
    )


def median_error(row: dict[str, Any]) -> float:
    """Return the median relative error of a profile."""
    kept = significant(row["density"])
    return float(np.median(row["error"][kept] / row["density"][kept]))


# --- LAMMPS ---------------------------------------------------------------------------------

MIN_RELATIVE_DENSITY = 0.05


def lammps(options: argparse.Namespace) -> None:
    """Print χ² between a dataset and LAMMPS, for systems with charged walls or unequal ions."""
    rows = dataset.read_rows(options.dataset)
    pairs = [(rows[i], rows[i + 1]) for i in range(0, len(rows), 2) if _is_new(rows[i])]
    settings = RunSettings(duration_ns=options.duration_ns, seed=12, engine="lammps")
    deviations = []
    systems = [(system_of(pair[0]), pair) for pair in pairs]
    small = [each for each in systems if each[0].ion_count <= options.most_ions]
    for system, pair in small[: options.systems]:
        result = run_lammps(system, settings, threads=1)
        own = [against_lammps(row, result) for row in pair]
        deviations += own
        texts = " | ".join(f"{np.mean(each**2):.2f}" for each in own)
        print(f"system {pair[0]['system']}, {system.ion_count} ions: χ² {texts}", flush=True)
    every = np.concatenate(deviations)
    chi_square, largest = np.mean(every**2), np.abs(every).max()
    print(f"{len(every)} bins: reduced χ² {chi_square:.2f}, largest deviation {largest:.1f}")


def _is_new(row: dict[str, Any]) -> bool:
    return row["surface_charge_density"] < 0 or row["positive_diameter"] != row["negative_diameter"]


def system_of(row: dict[str, Any]) -> SlitSystem:
    """Return the system of a row of a dataset."""
    return SlitSystem(**{name: row[name] for name in SYSTEM if name != dataset.COUNTED})


def against_lammps(row: dict[str, Any], result: SimulationResult) -> np.ndarray:
    """Return the differences from LAMMPS in wider bins, in combined standard errors.

    The errors of neighbouring bins of a force-sampled profile are fully correlated.
    """
    _, other, other_error = coarse(result, row["species"])
    merged = HALF // len(other)
    density, error = (row[name].reshape(-1, merged).mean(axis=1) for name in ("density", "error"))
    counted = density >= MIN_RELATIVE_DENSITY * density.max()
    return (other - density)[counted] / np.hypot(error, other_error)[counted]


# --- published ------------------------------------------------------------------------------


GOAL = 0.007

PUBLISHED_BIN = 0.05
"""Bin width of the published simulations, in diameters; their points interpolate between bins."""


def published(options: argparse.Namespace) -> None:
    """Print the relative L2 differences from published profiles between the contact planes."""
    table = np.load(options.file)
    found = []
    for i in range(len(table["z_nm"]))[: options.systems]:
        system = published_system(table, i)
        settings = RunSettings(duration_ns=200.0, target_error=options.target_error, replicas=1)
        result = run(system, settings)
        found.append([against_published(table, i, result, species) for species in SPECIES])
        texts = (f"{ours:.2%}, halves {theirs:.2%}" for ours, theirs in found[-1])
        print(f"profile {i}, {system.ion_count} ions: {' | '.join(texts)}", flush=True)
    ours, theirs = np.reshape(found, (-1, 2)).T
    print(
        f"{len(ours)} profiles: median {np.median(ours):.2%}, largest {ours.max():.2%}, beyond "
        f"{GOAL:.1%}: {np.sum(ours > GOAL)}; the published halves from their mean: "
        f"median {np.median(theirs):.2%}, largest {theirs.max():.2%}"
    )


def published_system(table: Any, i: int) -> SlitSystem:
    """Return the system of a published profile."""
    names = ("confinement_length", "salt_concentration", "surface_charge_density")
    diameters = ("positive_diameter", "negative_diameter")
    inputs: dict[str, Any] = {name: float(table[name][i]) for name in (*names, *diameters)}
    valencies = {f"{each}_valency": int(table[f"{each}_valency"][i]) for each in SPECIES}
    return SlitSystem(wall="plane", **inputs, **valencies)


def against_published(
    table: Any, i: int, result: SimulationResult, species: str
) -> tuple[float, float]:
    """Return the relative L2 difference from a published profile in 0.05 nm bins.

    The second value is that of its two halves from their mean, a measure of its noise.
    """
    z, _, _ = coarse(result, species)
    width = z[1] - z[0]
    inside = z - width / 2 > -result.system.contact_planes[SPECIES.index(species)]
    points = table["z_nm"][i].astype(float)
    theirs = table[f"{species}_density_M"][i].astype(float)
    left, right = (averages(points, each, z, width)[inside] for each in (theirs, theirs[::-1]))
    ours = averages(points, as_published(result, species, points), z, width)[inside]
    norm = np.linalg.norm(ours)
    difference, scatter = (left + right) / 2 - ours, (left - right) / 2
    return float(np.linalg.norm(difference) / norm), float(np.linalg.norm(scatter) / norm)


def as_published(result: SimulationResult, species: str, points: np.ndarray) -> np.ndarray:
    """Return our density (M) at published points: in published bins, interpolated.

    Bins are as wide as the rise of the density at a wall, which interpolation flattens.
    """
    profile = result.profiles.by_species()[species]
    width = PUBLISHED_BIN * result.system.diameters[SPECIES.index(species)]
    count = 1 + round((points[-1] - points[0]) / width)
    centres = np.linspace(points[0], points[-1], count)
    return np.interp(points, centres, rebinned(profile.z, profile.density, centres, width))


def rebinned(z: np.ndarray, density: np.ndarray, centres: np.ndarray, width: float) -> np.ndarray:
    """Return averages over other bins of a density that is constant in each of its bins."""
    own = z[1] - z[0]
    integral = np.append(0, np.cumsum(density) * own)
    return slopes(np.append(z - own / 2, z[-1] + own / 2), integral, centres, width)


def averages(z: np.ndarray, density: np.ndarray, centres: np.ndarray, width: float) -> np.ndarray:
    """Return averages over wider bins of a density that is linear between its points."""
    integral = np.append(0, np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(z)))
    return slopes(z, integral, centres, width)


def slopes(z: np.ndarray, integral: np.ndarray, centres: np.ndarray, width: float) -> np.ndarray:
    """Return the mean slopes of an integral across bins."""
    upper, lower = (np.interp(centres + side * width / 2, z, integral) for side in (1, -1))
    return (upper - lower) / width


# --- command line ---------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    whole = argparse.ArgumentParser(
        prog="python -m benchmarks.slits",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = whole.add_subparsers(required=True)

    def command(task: Callable[[argparse.Namespace], None], source: str, systems: float) -> Any:
        own = commands.add_parser(task.__name__, help=task.__doc__)
        own.add_argument(source, type=Path)
        if systems:
            count = None if math.isinf(systems) else int(systems)
            own.add_argument("--systems", type=int, default=count, help="only the first systems")
        own.set_defaults(task=task)
        return own

    command(cost, "plan", 40).add_argument("--seconds", type=float, default=5.0)
    command(check, "dataset", 0)
    in_lammps = command(lammps, "dataset", 20)
    in_lammps.add_argument("--duration-ns", type=float, default=1.5)
    in_lammps.add_argument("--most-ions", type=int, default=2000, help="leave out larger systems")
    command(published, "file", math.inf).add_argument("--target-error", type=float, default=0.003)
    return whole


def main() -> int:
    """Run a command."""
    options = parser().parse_args()
    options.task(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
