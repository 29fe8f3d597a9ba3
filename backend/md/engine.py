"""Runs a simulation: independent replicas, side by side, sampled in chunks."""

from __future__ import annotations

import math
import platform
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any

import numba
import numpy as np

from backend import __version__
from backend.md import estimators
from backend.md.electrostatics import fit_correction
from backend.md.replica import Replica
from backend.md.schedule import BLOCKS_PER_REPLICA, Schedule
from backend.profiles import SlitProfiles
from backend.result import Cancelled, Progress, SimulationResult
from backend.settings import RunSettings
from backend.system import SPECIES, SlitSystem

REPORT_SECONDS = 1.0


class _Run:
    """The replicas of one run, advanced by worker threads, watched by the caller's."""

    def __init__(self, system: SlitSystem, settings: RunSettings):
        self.system, self.settings = system, settings
        self.schedule = Schedule.of(system, settings)
        self.replicas = [Replica(system, settings, i) for i in range(settings.replicas)]
        self.stop = threading.Event()
        self.started = time.monotonic()

    def simulate(self, replica: Replica) -> None:
        """Equilibrate and sample one replica; ends early when `stop` is set."""
        for _ in range(self.schedule.equilibration):
            if not self.stop.is_set():
                replica.equilibrate(self.schedule)
        for _ in range(self.schedule.tallies):
            if not self.stop.is_set():
                replica.sample(self.schedule, self.stop)

    def samples(self) -> estimators.Samples | None:
        """Blocks of what has been sampled so far; None while that is too little."""
        sampled = [list(replica.tallies) for replica in self.replicas]
        parts = [estimators.Samples.of(t) for t in sampled if len(t) >= BLOCKS_PER_REPLICA]
        if not parts:
            return None
        length = min(part.blocks for part in parts) // BLOCKS_PER_REPLICA
        return estimators.Samples.joined([part.merged(length) for part in parts])

    def progress(self) -> Progress:
        """How far the run has come."""
        steps = sum(replica.steps_done for replica in self.replicas)
        total = self.schedule.steps(self.settings)
        seconds = time.monotonic() - self.started
        speed = steps / seconds if steps else None
        tallies = sum(len(replica.tallies) for replica in self.replicas)
        interval = self.settings.steps_per_sample * self.settings.time_step
        tally_ns = self.schedule.samples_per_tally * interval * self.system.time_unit_ns
        samples = self.samples()
        profiles = estimators.density_profiles(self.system, samples) if samples else None
        phase = "sampling" if tallies else "equilibrating" if steps else "compiling"
        return Progress(
            phase=phase,
            fraction=steps / total,
            seconds_left=(total - steps) / speed if speed else None,
            steps_per_second=speed,
            simulated_ns=tallies * tally_ns,
            median_relative_error=estimators.median_relative_error(profiles) if profiles else None,
            profiles=profiles,
        )


def run(
    system: SlitSystem,
    settings: RunSettings,
    *,
    threads: int = 1,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> SimulationResult:
    """Simulate a system.

    Parameters
    ----------
    system, settings
        What is simulated, and how.
    threads : int
        Replicas that are advanced at the same time. The result does not depend on it.
    on_progress : callable
        Called about once a second.
    should_stop : callable
        Asked several times a second whether to end early.

    Returns
    -------
    SimulationResult

    Raises
    ------
    Cancelled
        `should_stop` said so.
    SimulationError
        The simulation went wrong; the message says where and what to try.
    """
    job = _Run(system, settings)
    with ThreadPoolExecutor(max(1, min(threads, settings.replicas))) as pool:
        futures = [pool.submit(job.simulate, replica) for replica in job.replicas]
        try:
            _watch(job, futures, on_progress, should_stop)
        finally:
            job.stop.set()
    return _result(job)


def _watch(
    job: _Run,
    futures: list[Any],
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool],
) -> None:
    reported = -math.inf
    pending = set(futures)
    while pending:
        finished, pending = wait(pending, timeout=0.1, return_when=FIRST_EXCEPTION)
        for future in finished:
            future.result()
        if should_stop():
            raise Cancelled("cancelled")
        if time.monotonic() - reported >= REPORT_SECONDS:
            reported = time.monotonic()
            on_progress(job.progress())


def _result(job: _Run) -> SimulationResult:
    samples = job.samples()
    assert samples is not None
    profiles = estimators.density_profiles(job.system, samples)
    return SimulationResult(job.system, job.settings, profiles, _summary(job, samples, profiles))


def _summary(job: _Run, samples: estimators.Samples, profiles: SlitProfiles) -> dict[str, Any]:
    seconds = time.monotonic() - job.started
    steps = sum(replica.steps_done for replica in job.replicas)
    return {
        "counts": dict(zip(SPECIES, job.system.counts, strict=True)),
        "box_length_nm": job.system.box_length,
        "densities_M": {
            species: {
                "contact": profile.contact_density(job.system, species),
                "peak": profile.peak_density,
                "mid": profile.mid_density,
                "mean": profile.mean_density,
            }
            for species, profile in profiles.by_species().items()
        },
        "median_relative_error": estimators.median_relative_error(profiles),
        "error_bars": f"standard errors of the mean from {samples.blocks} blocks",
        "checks": _checks(job, samples),
        "timings": {
            "seconds": seconds,
            "steps": steps,
            "steps_per_second": steps / seconds,
        },
        "versions": {
            "nanoconf": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "numba": numba.__version__,
        },
    }


def _checks(job: _Run, samples: estimators.Samples) -> dict[str, Any]:
    """What should hold of every good run, as numbers."""
    series = [np.concatenate([t.series for t in r.tallies]) for r in job.replicas]
    temperature = np.concatenate([s[:, 0] for s in series])
    slowest = max(
        estimators.autocorrelation_rows(s[:, column])
        for s in series
        for column in range(1, len(estimators.SERIES))
    )
    interval = job.settings.time_step * job.settings.steps_per_sample
    raw = estimators.force_blocks(job.system, samples).mean(axis=-1)
    norm, norm_error = estimators.block_mean(raw / estimators.mean_densities(job.system))
    width = job.system.confinement_length / job.system.box_length
    return {
        "temperature": float(temperature.mean()),
        "autocorrelation_time_tau": slowest * interval * job.schedule.samples_per_row,
        "block_length_tau": samples.samples * interval,
        "force_to_count_ratio": dict(zip(SPECIES, norm.tolist(), strict=True)),
        "force_to_count_ratio_error": dict(zip(SPECIES, norm_error.tolist(), strict=True)),
        "image_correction_error": fit_correction(width).error,
    }
