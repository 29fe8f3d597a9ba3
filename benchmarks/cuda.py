"""Speed and agreement of the CUDA engine on a card: ``python -m benchmarks.cuda``.

The parts, selected with ``--parts``, are:

- ``replicas``: millions of time steps per second over all replicas, for different numbers of
  replicas
- ``ions``: the same for larger systems
- ``cost``: seconds needed to reach an error of 0.3 %, compared with the Numba engine on one core
- ``grid``: the time for the paper's grid, and how its profiles agree with those in data/grid
- ``slits``: how systems with charged walls and unequal ions agree with a dataset from another
  engine

The first line names the card. Results are kept in a file, so a second call measures only what is
missing. Generate the dataset for ``slits`` beforehand, on any computer:
``nanoconf sweep --plan data/plans/validation.csv -o data/slits/validation``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from backend.engines.cuda.batch import Batch
from backend.engines.cuda.device import Device
from backend.engines.cuda.engine import card, run, run_many
from backend.engines.cuda.simulation import Simulation
from backend.engines.cuda.slit import LARGEST_COUNT
from backend.engines.numba import engine as numba_engine
from backend.files import read_json, write_json
from backend.runs import local
from backend.sampling.result import SimulationResult
from backend.settings import RunSettings
from backend.system import SPECIES, SlitSystem
from nanoconf.data import dataset
from nanoconf.tables import aligned

TARGET = 0.003

LAMMPS_CORE_SECONDS = (150, 190)
"""Core-seconds of LAMMPS for the same error, relative to the Numba engine (measured with
``make bench``)."""

REGIONS = {"wall": (0.8, np.inf), "between": (0.3, 0.8), "middle": (0.0, 0.3)}
"""Regions of the slit: limits of |z| relative to the contact plane."""


@dataclass(frozen=True)
class Scale:
    """Amount of work of each part.

    Attributes
    ----------
    system : SlitSystem
        System used in the parts ``replicas`` and ``cost``.
    replicas, ions : tuple of int
        Numbers of replicas in the part ``replicas``, and of ions in the part ``ions``.
    ions_replicas : tuple of int
        Numbers of replicas in the part ``ions``.
    seconds : float
        Duration of each measurement of speed.
    settings : RunSettings
        Settings of the parts ``cost`` and ``slits``.
    grid_time : float
        Production time of each system of the grid (τ).
    grid_systems, slit_systems : int
        Maximum numbers of systems in the parts ``grid`` and ``slits``.
    slit_replicas : int
        Number of replicas in the part ``slits``.
    """

    system: SlitSystem
    replicas: tuple[int, ...] = (1, 132, 1056, 4000)
    ions: tuple[int, ...] = (1000, 2000, LARGEST_COUNT)
    ions_replicas: tuple[int, ...] = (1, 132)
    seconds: float = 3.0
    settings: RunSettings = RunSettings(engine="cuda")  # noqa: RUF009
    grid_time: float = 1000.0
    grid_systems: int = 3432
    slit_systems: int = 20
    slit_replicas: int = 32


# --- speed ----------------------------------------------------------------------------------


def million_steps(device: Device, system: SlitSystem, replicas: int, scale: Scale) -> float:
    """Return the speed of all replicas together (10⁶ time steps per second), after relaxation."""
    settings = replace(scale.settings, replicas=1)
    one = Simulation(system, settings)
    batch = Batch(device, one.shape, one.rhythm, replicas)
    try:
        slit, state = one.slits()[0], one.initial_states()[0]
        for slot in range(replicas):
            slit["replica"] = slot
            batch.place(slot, slit, state)
        batch.prepare()
        for _ in range(3):  # launches reach their full length
            batch.advance()
        began, chunks = time.monotonic(), 0
        while time.monotonic() - began < scale.seconds:
            batch.advance()
            chunks += 1
        steps = chunks * one.schedule.samples_per_chunk * settings.steps_per_sample * replicas
        return steps / (time.monotonic() - began) / 1e6
    finally:
        batch.free()


def _speeds(device: Device, systems: Sequence[tuple[SlitSystem, int]], scale: Scale) -> str:
    table = [["ions", "replicas", "million steps/s"]]
    for system, replicas in systems:
        speed = million_steps(device, system, replicas, scale)
        table.append([str(system.ion_count), str(replicas), f"{speed:.3g}"])
    return aligned(table, left=0)


def replicas(device: Device, scale: Scale, data: Path) -> str:
    """Measure the speed for different numbers of replicas."""
    return _speeds(device, [(scale.system, number) for number in scale.replicas], scale)


def ions(device: Device, scale: Scale, data: Path) -> str:
    """Measure the speed for different numbers of ions."""
    systems = [scale.system.replace(negative_ions=number // 2) for number in scale.ions]
    pairs = [(system, number) for system in systems for number in scale.ions_replicas]
    return _speeds(device, pairs, scale)


# --- cost -----------------------------------------------------------------------------------


def seconds_to(target: float, result: SimulationResult) -> float:
    """Return the time (s) to reach a median relative error at the speed of a run.

    It includes equilibration.
    """
    row = dataset.rows_of(result, number=0, inputs_hash="")
    error = max(_median_error(each) for each in row)
    summary, settings, timings = result.summary, result.settings, result.summary.timings
    assert summary.equilibration and summary.simulated_ns and timings and timings.steps_per_second
    sampled = summary.simulated_ns * (error / target) ** 2
    length = settings.replicas * summary.equilibration.duration_ns + sampled
    steps = length / (settings.time_step * result.system.time_unit_ns)
    return steps / timings.steps_per_second


def _median_error(row: Mapping[str, Any]) -> float:
    density = row["density"]
    counted = density > 0.05 * density.max()
    return float(np.median(row["error"][counted] / density[counted]))


def cost(device: Device, scale: Scale, data: Path) -> str:
    """Compare the seconds needed for an error of 0.3 % with those of other engines on one core."""
    ours = seconds_to(TARGET, run(scale.system, scale.settings, device=device))
    alone = replace(scale.settings.with_engine("numba"), replicas=1)
    numba = seconds_to(TARGET, numba_engine.run(scale.system, alone))
    low, high = (factor * numba for factor in LAMMPS_CORE_SECONDS)
    table = [
        ["", f"seconds to {TARGET:.1%}", "speed-up"],
        [f"card, {scale.settings.replicas} replicas", f"{ours:.3g}", ""],
        ["Numba engine, one core", f"{numba:.3g}", f"{numba / ours:.3g}"],
        [
            "LAMMPS, one core (from make bench)",
            f"{low:.3g}-{high:.3g}",
            f"{low / ours:.3g}-{high / ours:.3g}",
        ],
    ]
    return aligned(table)


# --- agreement ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reference:
    """A system and its rows in a dataset, by species."""

    system: SlitSystem
    rows: dict[str, dict[str, Any]]


def references(folder: Path) -> Iterator[Reference]:
    """Yield the systems of a dataset."""
    names = SlitSystem().to_dict()
    rows: dict[int, dict[str, dict[str, Any]]] = {}
    for row in dataset.read_rows(folder):
        rows.setdefault(row["system"], {})[row["species"]] = row
    for by_species in rows.values():
        row = by_species[SPECIES[0]]
        inputs = {name: row[name] for name in names if row.get(name) is not None}
        yield Reference(SlitSystem.from_dict(inputs), by_species)


def agreement(pairs: Sequence[tuple[Reference, SimulationResult]]) -> str:
    """Compare profiles with those of another engine, by species and region.

    Squared deviations are relative to those expected from the errors of both; mean signed
    deviations are relative to the density.
    """
    table = [["ions", "region", "squared deviations", "mean signed deviation"]]
    rows = [
        (
            reference,
            {row["species"]: row for row in dataset.rows_of(result, number=0, inputs_hash="")},
        )
        for reference, result in pairs
    ]
    for species in SPECIES:
        for region in REGIONS:
            squares, deviations = [], []
            for reference, ours in rows:
                square, deviation = _deviations(reference, ours[species], species, region)
                squares.append(square)
                deviations.append(deviation)
            mean = np.mean(np.concatenate(deviations))
            table.append(
                [species, region, f"{np.mean(np.concatenate(squares)):.2f}", f"{mean:+.3%}"]
            )
    return aligned(table)


def _deviations(
    reference: Reference, ours: Mapping[str, Any], species: str, region: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the squared and the signed deviations in the bins of a region."""
    theirs, system = reference.rows[species], reference.system
    density, expected = ours["density"], theirs["density"]
    contact = system.confinement_length / 2 - system.diameters[SPECIES.index(species)] / 2
    distance = np.abs(dataset.bin_centres(system.confinement_length)) / contact
    low, high = REGIONS[region]
    counted = (distance >= low) & (distance < high) & (expected > 0.05 * expected.max())
    difference = (density - expected)[counted]
    variance = (ours["error"] ** 2 + theirs["error"] ** 2)[counted]
    return difference**2 / variance, difference / expected[counted]


def _simulated(
    device: Device, requests: list[tuple[Reference, RunSettings]]
) -> tuple[float, list[tuple[Reference, SimulationResult]]]:
    """Return the duration (s) and the results of the systems that did not fail."""
    began = time.monotonic()
    inputs = [(reference.system, settings) for reference, settings in requests]
    found = list(run_many(inputs, processes=local.cores(), device=device))
    seconds = time.monotonic() - began
    return seconds, [
        (requests[index][0], result)
        for index, result in found
        if isinstance(result, SimulationResult)
    ]


def grid(device: Device, scale: Scale, data: Path) -> str:
    """Simulate the paper's grid, with the same production time in τ for every system."""
    settings = replace(scale.settings, replicas=1)
    requests = [
        (each, replace(settings, duration_ns=scale.grid_time * each.system.time_unit_ns))
        for each in references(data / "grid")
    ][: scale.grid_systems]
    seconds, pairs = _simulated(device, requests)
    done = f"{len(pairs)} of {len(requests)} systems of the paper's grid: {seconds:.1f} s"
    return f"{done}\n{agreement(pairs)}"


def slits(device: Device, scale: Scale, data: Path) -> str:
    """Simulate systems with charged walls and unequal ions."""
    folder = data / "slits" / "validation"
    if not (folder / dataset.FILE).exists():
        command = f"nanoconf sweep --plan {data}/plans/validation.csv -o {folder}"
        return f"skipped: there is no {folder}; run {command}"
    chosen = [
        each
        for each in references(folder)
        if each.system.surface_charge_density and np.ptp(each.system.diameters)
    ][: scale.slit_systems]
    steps = [float(each.rows[SPECIES[0]]["simulated_ns"]) for each in chosen]
    requests = [
        (each, replace(scale.settings, replicas=scale.slit_replicas, duration_ns=length))
        for each, length in zip(chosen, steps, strict=True)
    ]
    seconds, pairs = _simulated(device, requests)
    kind = "systems with charged walls and unequal ions"
    done = f"{len(pairs)} of {len(requests)} {kind}: {seconds:.1f} s"
    return f"{done}\n{agreement(pairs)}"


# --- command --------------------------------------------------------------------------------

PARTS: dict[str, Callable[[Device, Scale, Path], str]] = {
    each.__name__: each for each in (replicas, ions, cost, grid, slits)
}


def measure(device: Device, scale: Scale, parts: Sequence[str], data: Path, kept: Path) -> None:
    """Print the results of the parts; results stored for this card are not measured again."""
    versions = ", ".join(f"{name} {value}" for name, value in device.versions.items())
    print(versions)
    found = read_json(kept) if kept.exists() else {}
    results = found.get("parts", {}) if found.get("versions") == versions else {}
    for part in parts:
        if part not in results:
            results[part] = PARTS[part](device, scale, data)
            write_json(kept, {"versions": versions, "parts": results})
        print(f"\n{part}\n{results[part]}", flush=True)


def main() -> None:
    """Measure and print the requested parts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--kept", type=Path, default=Path("cuda.json"), help="file for the results")
    options = parser.parse_args()
    measure(card(), Scale(SlitSystem()), options.parts, Path("data"), options.kept)


if __name__ == "__main__":
    main()
