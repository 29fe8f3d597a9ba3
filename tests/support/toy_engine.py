"""Toy engine: ions that interact only with the walls, drawn at random from exp(−U_wall).

It is a complete engine without molecular dynamics: it collects tallies, and the assembly that all
engines share computes the result.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from backend.engines.registry import Engine
from backend.profiles.bins import BINS
from backend.sampling import estimators
from backend.sampling.assembly import Assembly, Record
from backend.sampling.result import Cancelled, Progress, SimulationResult
from backend.sampling.samples import SERIES, Samples, Tally, empty_tally
from backend.sampling.schedule import BLOCKS_PER_REPLICA, Schedule
from backend.sampling.summary import Timings
from backend.settings import RunSettings
from backend.system import SPECIES, SlitSystem
from backend.walls import boltzmann_factor, wall_energy

REPOSITORY = Path(__file__).parents[2]

TOY = Engine(
    name="toy",
    title="The toy engine",
    run_function="tests.support.toy_engine:run",
    cost_function="tests.support.toy_engine:seconds_per_step",
    electrostatics=("periodic",),
)

REGISTERED = """\
from dataclasses import replace
from backend.engines.registry import register
from tests.support.toy_engine import TOY
register({engine})
"""

POINTS = 50
"""Number of points per bin from which positions are drawn."""


def register_everywhere(folder: Path, monkeypatch: Any, engine: str = "TOY") -> None:
    """Register the engine of an expression in every Python process that this one starts."""
    (folder / "sitecustomize.py").write_text(REGISTERED.format(engine=engine))
    before = os.environ.get("PYTHONPATH", "")
    path = os.pathsep.join(filter(None, [str(folder), str(REPOSITORY), before]))
    monkeypatch.setenv("PYTHONPATH", path)


def seconds_per_step(system: SlitSystem, settings: RunSettings) -> float:
    """Estimate the duration of one time step of one replica (s)."""
    return 1e-9 * system.ion_count


def run(
    system: SlitSystem,
    settings: RunSettings,
    *,
    threads: int = 1,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> SimulationResult:
    """Draw as many configurations as a simulation would sample."""
    started = time.monotonic()
    schedule, rng = Schedule.of(system, settings), np.random.default_rng(settings.seed)
    assembly = Assembly(system, settings, estimators.force_sampling)
    tallies: list[Tally] = []
    for _ in range(schedule.stages[-1] * settings.replicas):
        if should_stop():
            raise Cancelled("cancelled")
        tallies.append(drawn(system, schedule, rng))
    samples = Samples.in_blocks([Samples.of(tallies)], BLOCKS_PER_REPLICA)
    steps = schedule.steps(settings)
    on_progress(assembly.progress(schedule, steps, None, len(tallies), samples))
    series = np.concatenate([tally.series for tally in tallies])
    energies = np.concatenate([tally.energy for tally in tallies])
    return assembly.result(
        Record(samples, [series], [energies]),
        Timings(time.monotonic() - started, steps, None),
        checks={},
        versions={"toy": "1"},
    )


def drawn(system: SlitSystem, schedule: Schedule, rng: np.random.Generator) -> Tally:
    """Return a tally of independent configurations."""
    rows = schedule.samples_per_tally // schedule.samples_per_row
    tally = empty_tally(system, BINS, rows, schedule.samples_per_row)
    half, middle, contact = tally.limits
    series = np.zeros((len(SERIES), schedule.samples_per_tally))
    series[SERIES.index("temperature")] = 1.0
    tally.energy[0] = 0.0
    for s, species in enumerate(SPECIES):
        z = positions(system, species, rng, (schedule.samples_per_tally, system.counts[s]))
        force = wall_force(system, species, z)
        place = (z + half) * BINS / (2 * half)
        for sums, weights in (
            (tally.counts, np.ones_like(z)),
            (tally.forces, force),
            (tally.tails, force * (np.ceil(place) - place)),
        ):
            sums[s] += np.histogram(z, BINS, (-half, half), weights=weights)[0]
        for name, values in (
            ("dipole", system.valencies[s] * z),
            ("middle", np.abs(z) < middle),
            ("contact", np.abs(z) > contact),
            ("left_wall", np.where(z < 0, force, 0.0)),
            ("right_wall", np.where(z > 0, force, 0.0)),
        ):
            series[SERIES.index(name)] += values.sum(axis=1)
        tally.energy[0] += wall_energy(system, species, z[-1]).sum()
    tally.series[:] = series.reshape(len(SERIES), rows, -1).mean(axis=-1).T
    return tally


def positions(
    system: SlitSystem, species: str, rng: np.random.Generator, shape: tuple[int, int]
) -> np.ndarray:
    """Return positions (nm) drawn from the distribution exp(−U_wall)."""
    half = system.confinement_length / 2
    edges = np.linspace(-half, half, BINS * POINTS + 1)
    share = boltzmann_factor(system, species, (edges[1:] + edges[:-1]) / 2)
    cumulated = np.concatenate([[0.0], np.cumsum(share / share.sum())])
    return np.interp(rng.random(shape), cumulated, edges)


def wall_force(system: SlitSystem, species: str, z: np.ndarray) -> np.ndarray:
    """Return the forces of both walls (k_BT/nm)."""
    step = 1e-5
    return (wall_energy(system, species, z - step) - wall_energy(system, species, z + step)) / (
        2 * step
    )
