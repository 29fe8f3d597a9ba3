"""CUDA engine: all replicas of a run, or of many runs, side by side on one graphics card."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from backend.engines.cuda.crew import Crew
from backend.engines.cuda.device import Device
from backend.engines.cuda.evaluation import Evaluators
from backend.engines.cuda.fits import Fits
from backend.engines.cuda.simulation import Simulation
from backend.engines.cuda.slit import LARGEST_COUNT
from backend.inputs import InvalidInput
from backend.sampling import checkpoint as checkpoints
from backend.sampling.result import Cancelled, Progress, SimulationError, SimulationResult
from backend.settings import RunSettings
from backend.system import SlitSystem

REPORT_SECONDS = 1.0

SLOTS = 1056
"""Replicas of a batch: enough to fill a card with 132 multiprocessors more than twice over."""


class Checkpoints(checkpoints.Checkpoints):
    """Checkpoint of one run with all of its replicas."""

    revision = "first"


def run(
    system: SlitSystem,
    settings: RunSettings,
    *,
    threads: int = 1,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
    should_finish: Callable[[], bool] = lambda: False,
    checkpoint: Path | None = None,
    log: Callable[[str], None] = lambda line: None,
    device: Device | None = None,
) -> SimulationResult:
    """Simulate a system on a graphics card.

    The parameters, the result and the exceptions are those of `backend.engines.numba.engine.run`,
    except for these:

    Parameters
    ----------
    threads : int
        Not used: all replicas run at the same time.
    device : Device, optional
        Device that runs the kernels; by default the first visible card.
    """
    check_system(system)
    simulation = Simulation(system, settings)
    crew = Crew(device or card(), simulation, settings.replicas)
    versions = crew.versions
    saved = Checkpoints(checkpoint, system, settings, log) if checkpoint else None
    try:
        _start(crew, simulation, saved, log)
        try:
            _advance(crew, simulation, saved, on_progress, should_stop, should_finish)
        except Cancelled:
            _save(crew, simulation, saved)
            raise
    finally:
        crew.free()
    return simulation.result(versions)


def _start(
    crew: Crew, simulation: Simulation, saved: Checkpoints | None, log: Callable[[str], None]
) -> None:
    arrays = saved.load(0) if saved else None
    if arrays is None:
        for error in crew.start([simulation]).values():
            raise error
        return
    crew.resume(simulation, arrays)
    log(f"all replicas resume from step {simulation.steps}")


def _advance(
    crew: Crew,
    simulation: Simulation,
    saved: Checkpoints | None,
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool],
    should_finish: Callable[[], bool],
) -> None:
    reported = -math.inf
    while not simulation.done:
        if should_stop():
            raise Cancelled("cancelled")
        if should_finish():
            simulation.finish = True
        for error in crew.advance().values():
            raise error
        if saved and saved.due(0):
            _save(crew, simulation, saved)
        if time.monotonic() - reported >= REPORT_SECONDS:
            on_progress(simulation.progress())
            reported = time.monotonic()


def _save(crew: Crew, simulation: Simulation, saved: Checkpoints | None) -> None:
    if saved and simulation.chunks_done and not simulation.done:
        saved.save(0, crew.to_arrays(simulation))


def run_many(
    requests: Iterable[tuple[SlitSystem, RunSettings]],
    *,
    processes: int = 1,
    slots: int = SLOTS,
    device: Device | None = None,
) -> Iterator[tuple[int, SimulationResult | SimulationError]]:
    """Simulate many systems side by side, in groups with about the same number of ions.

    When a system has reached its target error, the next takes its place.

    Parameters
    ----------
    requests : iterable of (SlitSystem, RunSettings)
    processes : int
        Number of processes that evaluate results, and of threads that fit Coulomb forces, while
        the device computes.
    slots : int
        Largest number of replicas of all systems on the device at a time.
    device : Device, optional
        Device that runs the kernels; by default the first visible card.

    Yields
    ------
    index : int
        Index of a request that is done.
    result : SimulationResult or SimulationError
    """
    groups = _groups(requests)
    device = device or card()
    simulations = [simulation for group in groups for _, simulation in group]
    with Fits(simulations, processes) as fits, Evaluators(processes, device.versions) as evaluators:
        for group in groups:
            yield from _run_group(group, slots, device, fits, evaluators)
        yield from evaluators.finished(all_of_them=True)


Group = list[tuple[int, Simulation]]


def _groups(requests: Iterable[tuple[SlitSystem, RunSettings]]) -> list[Group]:
    """Return groups of simulations of the same shape and rhythm, those with the most ions first."""
    groups: dict[object, Group] = {}
    for index, (system, settings) in enumerate(requests):
        check_system(system)
        simulation = Simulation(system, settings)
        groups.setdefault((simulation.shape, simulation.rhythm), []).append((index, simulation))
    return sorted(groups.values(), key=lambda group: -group[0][1].shape.stride)


def _run_group(
    group: Group, slots: int, device: Device, fits: Fits, evaluators: Evaluators
) -> Iterator[tuple[int, SimulationResult | SimulationError]]:
    replicas = [simulation.settings.replicas for _, simulation in group]
    crew = Crew(device, group[0][1], max(max(replicas), min(slots, sum(replicas))))
    index_of = {simulation: index for index, simulation in group}
    waiting = [simulation for _, simulation in group]
    try:
        while waiting or crew.slots:
            if not crew.slots:
                fits.wait_for(waiting[0])
            if starting := _next(waiting, crew.room, fits):
                for simulation, failure in crew.start(starting).items():
                    yield index_of[simulation], failure
            if not crew.slots:
                continue
            for simulation, failure in crew.advance().items():
                yield index_of[simulation], failure
            for simulation in [each for each in crew.slots if each.done]:
                crew.remove(simulation)
                evaluators.submit(index_of[simulation], simulation)
            yield from evaluators.finished()
    finally:
        crew.free()


def _next(waiting: list[Simulation], room: int, fits: Fits) -> list[Simulation]:
    """Remove from a queue the first simulations that can start, and return them.

    They fit into the free slots, and their Coulomb fit is ready.
    """
    starting = []
    for simulation in waiting:
        if simulation.settings.replicas > room:
            break
        if fits.ready(simulation):
            starting.append(simulation)
            room -= simulation.settings.replicas
    chosen = set(starting)
    waiting[:] = [simulation for simulation in waiting if simulation not in chosen]
    return starting


def card() -> Device:
    """Return the first visible card; raise `SimulationError` if there is none."""
    from backend.engines.cuda.nvidia import Nvidia

    return Nvidia()


def check_system(system: SlitSystem) -> None:
    """Raise `InvalidInput` if a system has too many ions for the engine."""
    if system.ion_count > LARGEST_COUNT:
        allowed = (
            f"this slit needs {system.ion_count} ions; the CUDA engine simulates up to "
            f"{LARGEST_COUNT}: choose another engine, or reduce the width or the concentration"
        )
        raise InvalidInput("confinement_length", system.confinement_length, allowed)
