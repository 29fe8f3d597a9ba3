"""Speed of the CUDA engine on a card, in under five minutes: ``python -m benchmarks.cuda``.

Prints million time steps a second of all replicas together, for different numbers of replicas and
of ions; the time for the paper's grid; and how its profiles agree with those of the Numba engine in
data/grid. The first line names the card. ``--quick`` prints only the first table.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from backend.engines.cuda.batch import Batch
from backend.engines.cuda.device import Device
from backend.engines.cuda.engine import card, run_many
from backend.engines.cuda.simulation import Simulation
from backend.engines.cuda.slit import LARGEST_COUNT
from backend.sampling.result import SimulationResult
from backend.settings import RunSettings
from backend.system import SPECIES, SlitSystem
from nanoconf.data.dataset import read_rows
from nanoconf.data.plans import grid_plan
from nanoconf.tables import aligned

REPLICAS = (1, 132, 1056, 4000)
IONS = (1000, 2000, LARGEST_COUNT)
MEASURED_SECONDS = 3.0
GRID_TIME = 1000.0
"""Production time of each system of the grid (τ)."""

GRID = Path("data/grid")


def million_steps(device: Device, system: SlitSystem, replicas: int) -> float:
    """Return million time steps a second of all replicas together, after relaxation."""
    settings = RunSettings(engine="cuda", replicas=1)
    one = Simulation(system, settings)
    batch = Batch(device, one.shape, one.rhythm, replicas)
    try:
        slit, state = one.slits()[0], one.initial_states()[0]
        for slot in range(replicas):
            slit["replica"] = slot
            batch.place(slot, slit, state)
        batch.prepare()
        for _ in range(3):  # launches reach their length
            batch.advance()
        began, chunks = time.monotonic(), 0
        while time.monotonic() - began < MEASURED_SECONDS:
            batch.advance()
            chunks += 1
        steps = chunks * one.schedule.samples_per_chunk * settings.steps_per_sample * replicas
        return steps / (time.monotonic() - began) / 1e6
    finally:
        batch.free()


def speeds(device: Device) -> Iterator[list[str]]:
    """Yield the rows of the table of speeds."""
    yield ["ions", "replicas", "million steps/s"]
    for replicas in REPLICAS:
        system = SlitSystem()
        yield [
            str(system.ion_count),
            str(replicas),
            f"{million_steps(device, system, replicas):.3g}",
        ]
    for ions in IONS:
        system = SlitSystem(negative_ions=ions // 2)
        for replicas in (1, 132):
            speed = million_steps(device, system, replicas)
            yield [str(system.ion_count), str(replicas), f"{speed:.3g}"]


def grid() -> list[tuple[SlitSystem, RunSettings]]:
    """Return the paper's grid, with the same production time in τ for every system."""
    settings = RunSettings(engine="cuda", replicas=1)
    return [
        (item.system, replace(settings, duration_ns=GRID_TIME * item.system.time_unit_ns))
        for item in grid_plan()
    ]


def campaign(device: Device) -> tuple[float, list[SimulationResult], int]:
    """Simulate the grid; return the seconds, the results, and the number of systems."""
    requests, began = grid(), time.monotonic()
    found = [result for _, result in run_many(requests, device=device)]
    seconds = time.monotonic() - began
    return seconds, [each for each in found if isinstance(each, SimulationResult)], len(requests)


def agreement(results: list[SimulationResult]) -> str:
    """Compare the profiles with those of the Numba engine, against the errors of both."""
    names = ("confinement_length", "positive_valency", "salt_concentration", "positive_diameter")
    stored = {
        (*(round(row[name], 6) for name in names), row["species"]): row for row in read_rows(GRID)
    }
    squares, deviations = [], []
    for result in results:
        key = tuple(round(getattr(result.system, name), 6) for name in names)
        for species in SPECIES:
            row, profile = stored[*key, species], result.profiles.by_species()[species]
            half = len(row["density"])
            density, error = profile.density[:half], profile.error[:half]
            counted = density > 0.05 * density.max()
            difference = (density - row["density"])[counted]
            squares.append(np.mean(difference**2 / (error**2 + row["error"] ** 2)[counted]))
            deviations.append(np.mean(difference / row["density"][counted]))
    return (
        f"{len(squares)} profiles: squared deviations {np.mean(squares):.2f} of those expected "
        f"from both errors, mean signed deviation {np.mean(deviations):+.3%}"
    )


def main() -> None:
    """Measure and print everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="print only the first table")
    options = parser.parse_args()
    device = card()
    print(", ".join(f"{name} {value}" for name, value in device.versions.items()))
    print(aligned(list(speeds(device)), left=0), flush=True)
    if options.quick:
        return
    seconds, results, systems = campaign(device)
    print(f"{len(results)} of {systems} systems of the paper's grid: {seconds:.1f} s", flush=True)
    print(agreement(results))


if __name__ == "__main__":
    main()
