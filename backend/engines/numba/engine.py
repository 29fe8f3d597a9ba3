"""Numba engine: runs independent replicas in parallel, sampled in stages."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from pathlib import Path

import numba
import numpy as np

from backend.electrostatics import splitting
from backend.engines.numba.checkpoint import Checkpoints
from backend.engines.numba.replica import Replica, Start
from backend.sampling import estimators
from backend.sampling.assembly import Assembly, Record
from backend.sampling.convergence import Verdict
from backend.sampling.equilibration import Measured, longer
from backend.sampling.lattice import lattice
from backend.sampling.result import Cancelled, Progress, SimulationResult
from backend.sampling.samples import Samples
from backend.sampling.schedule import BLOCKS_PER_REPLICA, PREVIEW_BLOCKS, Schedule
from backend.sampling.summary import Timings
from backend.settings import RunSettings
from backend.system import SlitSystem

REPORT_SECONDS = 1.0
WATCH_SECONDS = 0.1


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
    start: Start = lattice,
) -> SimulationResult:
    """Simulate a system.

    Parameters
    ----------
    system, settings
        The system to simulate and the settings of the run.
    threads : int
        Number of replicas that run at the same time. The result does not depend on it.
    on_progress : callable
        Called about once a second with a `Progress`.
    should_stop : callable
        Called several times a second; returns True to cancel the run.
    should_finish : callable
        Called several times a second; returns True to end the run early with a result, as soon as
        there are enough blocks for error bars.
    checkpoint : Path, optional
        Folder of the checkpoints. The run resumes from existing checkpoints and writes new ones
        every few seconds and when it is cancelled. Without it, a cancelled run is lost.
    log : callable
        Called with a line of text for every message about checkpoints.
    start : callable
        Returns initial positions (nm), shape (3, ions), for a system and a random generator.

    Returns
    -------
    SimulationResult

    Raises
    ------
    Cancelled
        `should_stop` returned True.
    SimulationError
        The simulation failed; the message says where and suggests a remedy.
    """
    job = _Run(system, settings, start)
    if checkpoint is not None:
        job.resume(Checkpoints(checkpoint, system, settings, log), log)
    try:
        _simulate(job, threads, on_progress, should_stop, should_finish)
    except Cancelled:
        job.save()
        raise
    return job.result()


def _simulate(
    job: _Run,
    threads: int,
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool],
    should_finish: Callable[[], bool],
) -> None:
    """Run all replicas to the end; no replica is running when this returns or raises."""
    with ThreadPoolExecutor(max(1, min(threads, len(job.replicas)))) as pool:

        def in_parallel(task: Callable[[Replica], None]) -> None:
            pending = {pool.submit(task, replica) for replica in job.replicas}
            while pending:
                finished, pending = wait(pending, WATCH_SECONDS, return_when=FIRST_EXCEPTION)
                for future in finished:
                    future.result()
                if should_stop():
                    raise Cancelled("cancelled")
                if should_finish():
                    job.finish.set()
                if job.report_due():
                    on_progress(job.progress())

        try:
            while not job.equilibrated():
                in_parallel(job.equilibrate)
            for tallies in job.remaining_stages():
                in_parallel(partial(job.sample, tallies))
                if job.finish.is_set() or job.converged():
                    break
        finally:
            job.stop.set()


class _Run:
    """Replicas of one run and their combined samples."""

    def __init__(self, system: SlitSystem, settings: RunSettings, start: Start = lattice):
        self.system, self.settings = system, settings
        self.schedule = Schedule.of(system, settings)
        self._assembly = Assembly(system, settings, estimators.force_sampling)
        self.replicas = [Replica(system, settings, i, start) for i in range(settings.replicas)]
        self.stop, self.finish = threading.Event(), threading.Event()
        self.started = time.monotonic()
        self.moving: float | None = None
        self._reported = -math.inf
        self._checkpoints: Checkpoints | None = None

    # --- checkpoints ------------------------------------------------------------------------

    def resume(self, checkpoints: Checkpoints, log: Callable[[str], None]) -> None:
        """Resume from existing checkpoints, and write new ones from now on."""
        self._checkpoints = checkpoints
        seconds = 0.0
        for replica in self.replicas:
            arrays = checkpoints.load(replica.index)
            if arrays is not None:
                replica.resume(arrays)
                seconds = max(seconds, float(arrays["seconds"]))
                log(f"replica {replica.index} resumes from step {replica.steps_done}")
        if self.steps:
            self.started = self.moving = time.monotonic() - seconds

    def save(self) -> None:
        """Save all replicas that have started; none may be running."""
        for replica in self.replicas:
            if replica.steps_done:
                self._save(replica)

    def _save(self, replica: Replica) -> None:
        if self._checkpoints and self.moving:
            seconds = np.array(time.monotonic() - self.moving)
            self._checkpoints.save(replica.index, {**replica.to_arrays(), "seconds": seconds})

    def _save_if_due(self, replica: Replica) -> None:
        if self._checkpoints and self._checkpoints.due(replica.index):
            self._save(replica)

    def remaining_stages(self) -> list[int]:
        """Return the stages to complete; earlier stages have already been checked."""
        furthest = max(len(replica.tallies) for replica in self.replicas)
        return [stage for stage in self.schedule.stages if stage >= furthest]

    # --- called in the threads of the pool --------------------------------------------------

    def equilibrate(self, replica: Replica) -> None:
        """Equilibrate one replica; return early when `stop` is set."""
        replica.prepare()
        self.moving = self.moving or time.monotonic()
        chunks = self.schedule.equilibration
        while len(replica.equilibration) < chunks and not self.stop.is_set():
            replica.equilibrate(self.schedule)
            self._save_if_due(replica)

    def sample(self, tallies: int, replica: Replica) -> None:
        """Sample one replica until it has `tallies` tallies, or until `finish` or `stop` is set.

        When `finish` is set, sampling continues until there are enough blocks for error bars.
        """
        while len(replica.tallies) < tallies and not self.stop.is_set():
            if self.finish.is_set() and len(replica.tallies) >= BLOCKS_PER_REPLICA:
                return
            replica.sample(self.schedule, self.stop, partial(self._save_if_due, replica))

    # --- called in the main thread ----------------------------------------------------------

    def equilibrated(self) -> bool:
        """Return True if the equilibration is over; otherwise plan how long it should be.

        It is over when it is long enough, or has its greatest length, or the run is to finish.
        """
        sampling = [replica for replica in self.replicas if replica.sampling]
        if sampling:  # resumed after the decision
            self._plan_equilibration(len(sampling[0].equilibration))
        chunks = self.schedule.equilibration
        if any(len(replica.equilibration) < chunks for replica in self.replicas):
            return False
        measured = self.equilibration()
        if sampling or self.finish.is_set() or measured is None or measured.sufficient:
            return True
        following = longer(chunks, Schedule.of(self.system, self.settings).equilibration)
        self._plan_equilibration(following or chunks)
        return not following

    def _plan_equilibration(self, chunks: int) -> None:
        self.schedule = replace(self.schedule, equilibration=chunks)

    def equilibration(self) -> Measured | None:
        """Return the relaxation times measured in the equilibration.

        None if a replica has resumed from a checkpoint of the revision that did not measure them.
        """
        chunks = self.schedule.equilibration
        series = [replica.equilibration_series(chunks) for replica in self.replicas]
        return Measured.of(series) if all(map(len, series)) else None

    @property
    def steps(self) -> int:
        """Completed time steps, summed over the replicas."""
        return sum(replica.steps_done for replica in self.replicas)

    @property
    def steps_per_second(self) -> float | None:
        """Time steps per second since the engine was compiled; None before the first steps."""
        if self.moving is None or not self.steps:
            return None
        return self.steps / (time.monotonic() - self.moving)

    def samples(self, least: int = BLOCKS_PER_REPLICA) -> Samples | None:
        """Return the blocks of all replicas with at least `least` tallies; None if none has."""
        sampled = [list(replica.tallies) for replica in self.replicas]
        parts = [Samples.of(t) for t in sampled if len(t) >= least]
        if not parts:
            return None
        return Samples.in_blocks(parts, BLOCKS_PER_REPLICA)

    def converged(self) -> bool:
        """Return True if a target error is set and the samples so far meet it."""
        return self.settings.target_error is not None and self.verdict().converged

    def verdict(self) -> Verdict:
        """Evaluate the convergence of the samples so far."""
        samples = self.samples()
        assert samples is not None
        return self._assembly.verdict(samples, [replica.series() for replica in self.replicas])

    def report_due(self) -> bool:
        """Return True if the next progress report is due."""
        if time.monotonic() - self._reported < REPORT_SECONDS:
            return False
        self._reported = time.monotonic()
        return True

    def progress(self) -> Progress:
        """Return the progress of the run."""
        tallies = sum(len(replica.tallies) for replica in self.replicas)
        samples = self.samples(PREVIEW_BLOCKS)
        return self._assembly.progress(
            self.schedule, self.steps, self.steps_per_second, tallies, samples
        )

    def result(self) -> SimulationResult:
        """Return the result of the run."""
        samples = self.samples()
        assert samples is not None
        record = Record(
            samples,
            [replica.series() for replica in self.replicas],
            [replica.potential_energies() for replica in self.replicas],
            self.replicas[0].snapshots,
            self.equilibration(),
        )
        timings = Timings(time.monotonic() - self.started, self.steps, self.steps_per_second)
        width_to_box = self.system.confinement_length / self.system.box_length
        return self._assembly.result(
            record,
            timings,
            checks={
                "pair_force_error": splitting(width_to_box, self.settings.electrostatics).error
            },
            versions={"numba": numba.__version__},
        )
