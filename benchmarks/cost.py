"""Core-seconds required for a profile with a standard error of 0.3 %, including equilibration.

Standard errors fall with the square root of the sampled time. One run of each contender, long
enough for a reliable error estimate, gives the required duration; the measured speed gives its
cost.
"""

from __future__ import annotations

import tempfile
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from backend.engines.lammps.engine import Job
from backend.engines.numba.replica import Replica
from backend.sampling import estimators
from backend.sampling.samples import Samples
from backend.sampling.schedule import EQUILIBRATION_TIME, Schedule
from backend.settings import RunSettings
from backend.system import SlitSystem
from benchmarks.contenders import Contender

TARGET = 0.003
"""Median relative standard error of the density in a bin."""

BIN_WIDTHS = (0.01, 0.05)
"""Approximate widths of the bins (nm)."""

DURATION, LAMMPS_DURATION = 3000.0, 600.0
"""Time sampled to estimate the error (τ)."""

BLOCKS = 100


@dataclass(frozen=True)
class Cost:
    """Cost of reaching the target error.

    Attributes
    ----------
    contender, species : str
    bin_width : float
        Width of the bins (nm).
    error : float
        Median relative standard error after the time `sampled`.
    sampled, needed : float
        Sampled time, and time required to reach the target error (τ).
    core_seconds : float
        Core-seconds for equilibration and the required time.
    """

    contender: str
    species: str
    bin_width: float
    error: float
    sampled: float
    needed: float
    core_seconds: float


def measure(
    system: SlitSystem, contenders: list[Contender], speeds: dict[str, float]
) -> list[Cost]:
    """Measure the cost of each contender for each species and bin width.

    Parameters
    ----------
    system : SlitSystem
    contenders : list of Contender
    speeds : dict of str to float
        Time steps per second by name of the contender.
    """
    costs = []
    for contender in contenders:
        duration = LAMMPS_DURATION if contender.method else DURATION
        settings = replace(contender.settings, duration_ns=duration * system.time_unit_ns, seed=2)
        blocks, sampled = _run(system, replace(contender, settings=settings))
        step_seconds = 1 / speeds[contender.name]
        for width in BIN_WIDTHS:
            coarse = _coarse(blocks, system, width)
            errors = _median_errors(system, coarse, contender)
            for species, error in zip(("positive", "negative"), errors, strict=True):
                needed = sampled * (error / TARGET) ** 2
                steps = (EQUILIBRATION_TIME * system.diameter_ratio + needed) / settings.time_step
                costs.append(
                    Cost(
                        contender.name,
                        species,
                        system.confinement_length / coarse.shape[-1],
                        error,
                        sampled,
                        needed,
                        steps * step_seconds,
                    )
                )
    return costs


def _run(system: SlitSystem, contender: Contender) -> tuple[np.ndarray, float]:
    """Return block densities (M), shape (blocks, 2, bins), and the sampled time (τ)."""
    settings = contender.settings
    if contender.method:
        samples = _lammps(system, contender)
        blocks = estimators.histogram_blocks(system, samples)
    else:
        samples = _ours(system, settings)
        blocks = estimators.force_blocks(system, samples)
    interval = settings.time_step * settings.steps_per_sample
    return blocks, samples.samples * samples.blocks * interval


def _ours(system: SlitSystem, settings: RunSettings) -> Samples:
    replica = Replica(system, settings, 0)
    replica.prepare()
    schedule = Schedule.of(system, settings)
    for _ in range(schedule.equilibration):
        replica.equilibrate(schedule)
    for _ in range(schedule.stages[-1]):
        replica.sample(schedule, threading.Event())
    samples = Samples.of(replica.tallies)
    return samples.merged(max(1, samples.blocks // BLOCKS))


def _lammps(system: SlitSystem, contender: Contender) -> Samples:
    with tempfile.TemporaryDirectory() as folder:
        job = Job(system, contender.settings, Path(folder), contender.method)
        tallies = job.simulate(threads=1)
        samples = job.replicas[0].samples(tallies)
    return samples.merged(max(1, samples.blocks // BLOCKS))


def _coarse(blocks: np.ndarray, system: SlitSystem, width: float) -> np.ndarray:
    """Merge bins to approximately the given width (nm)."""
    merged = max(1, round(width * blocks.shape[-1] / system.confinement_length))
    while blocks.shape[-1] % merged:
        merged -= 1
    return blocks.reshape(*blocks.shape[:-1], -1, merged).mean(axis=-1)


def _median_errors(system: SlitSystem, blocks: np.ndarray, contender: Contender) -> list[float]:
    """Median relative error of each species, over bins with at least 5 % of the maximum density."""
    if contender.method:
        density, error = estimators.block_mean(blocks)
    else:
        density, error = estimators.normalised_mean(blocks, estimators.mean_densities(system))
    counted = density >= 0.05 * density.max(axis=-1, keepdims=True)
    return [float(np.median(error[s][counted[s]] / density[s][counted[s]])) for s in range(2)]
