"""Runs a simulation: independent replicas, side by side, sampled in stages."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path

import numba
import numpy as np

from backend.engines.numba.checkpoint import Checkpoints
from backend.engines.numba.electrostatics import splitting
from backend.engines.numba.replica import Replica
from backend.sampling import estimators
from backend.sampling.assembly import Assembly, Record
from backend.sampling.convergence import Verdict
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
    enough: Callable[[], bool] = lambda: False,
    checkpoint: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
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
    enough : callable
        Asked likewise whether what has been sampled is enough: then the run ends with a result as
        soon as there are blocks for error bars.
    checkpoint : Path, optional
        Folder of the checkpoints: the run goes on from those that are there, and leaves others
        every few seconds and when it ends early. Without it, a run that ends early is lost.
    say : callable
        Told, in a line, what is worth knowing about checkpoints.

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
    if checkpoint is not None:
        job.resume(Checkpoints(checkpoint, system, settings, say), say)
    try:
        _simulate(job, threads, on_progress, should_stop, enough)
    except Cancelled:
        job.save()
        raise
    return job.result()


def _simulate(
    job: _Run,
    threads: int,
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool],
    enough: Callable[[], bool],
) -> None:
    """Take all replicas to the end of the run; when it returns or raises, none moves any more."""
    with ThreadPoolExecutor(max(1, min(threads, len(job.replicas)))) as pool:

        def side_by_side(task: Callable[[Replica], None]) -> None:
            pending = {pool.submit(task, replica) for replica in job.replicas}
            while pending:
                finished, pending = wait(pending, WATCH_SECONDS, return_when=FIRST_EXCEPTION)
                for future in finished:
                    future.result()
                if should_stop():
                    raise Cancelled("cancelled")
                if enough():
                    job.enough.set()
                if job.report_due():
                    on_progress(job.progress())

        try:
            side_by_side(job.equilibrate)
            for tallies in job.stages_left():
                side_by_side(partial(job.sample, tallies))
                if job.enough.is_set() or job.converged():
                    break
        finally:
            job.stop.set()


class _Run:
    """The replicas of one run and what they have sampled together."""

    def __init__(self, system: SlitSystem, settings: RunSettings):
        self.system, self.settings = system, settings
        self.schedule = Schedule.of(system, settings)
        self._assembly = Assembly(system, settings, estimators.force_sampling)
        self.replicas = [Replica(system, settings, i) for i in range(settings.replicas)]
        self.stop, self.enough = threading.Event(), threading.Event()
        self.started = time.monotonic()
        self.moving: float | None = None
        self._reported = -math.inf
        self._checkpoints: Checkpoints | None = None

    # --- checkpoints ------------------------------------------------------------------------

    def resume(self, checkpoints: Checkpoints, say: Callable[[str], None]) -> None:
        """Go on from the checkpoints there are, and keep others from now on."""
        self._checkpoints = checkpoints
        seconds = 0.0
        for replica in self.replicas:
            arrays = checkpoints.load(replica.index)
            if arrays is not None:
                replica.resume(arrays)
                seconds = max(seconds, float(arrays["seconds"]))
                say(f"replica {replica.index} goes on from step {replica.steps_done}")
        if self.steps:
            self.started = self.moving = time.monotonic() - seconds

    def save(self) -> None:
        """Save all replicas that have moved; none may be moving now."""
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

    def stages_left(self) -> list[int]:
        """The stages to go through: those that a replica went beyond have been judged before."""
        furthest = max(len(replica.tallies) for replica in self.replicas)
        return [stage for stage in self.schedule.stages if stage >= furthest]

    # --- what the worker threads do ---------------------------------------------------------

    def equilibrate(self, replica: Replica) -> None:
        """Bring one replica to equilibrium; ends early when `stop` is set."""
        replica.prepare()
        self.moving = self.moving or time.monotonic()
        steps = self.schedule.equilibration_steps(self.settings)
        while replica.steps_done < steps and not self.stop.is_set():
            replica.equilibrate(self.schedule)
            self._save_if_due(replica)

    def sample(self, tallies: int, replica: Replica) -> None:
        """Sample one replica until it has so many tallies, or enough; or until `stop` is set."""
        while len(replica.tallies) < tallies and not self.stop.is_set():
            if self.enough.is_set() and len(replica.tallies) >= BLOCKS_PER_REPLICA:
                return
            replica.sample(self.schedule, self.stop, partial(self._save_if_due, replica))

    # --- what the caller's thread sees ------------------------------------------------------

    @property
    def steps(self) -> int:
        """Time steps done by all replicas together."""
        return sum(replica.steps_done for replica in self.replicas)

    @property
    def steps_per_second(self) -> float | None:
        """Time steps a second since the engine was compiled; None until some are done."""
        if self.moving is None or not self.steps:
            return None
        return self.steps / (time.monotonic() - self.moving)

    def samples(self, least: int = BLOCKS_PER_REPLICA) -> Samples | None:
        """The blocks of all replicas with so many tallies at least; None where there are none."""
        sampled = [list(replica.tallies) for replica in self.replicas]
        parts = [Samples.of(t) for t in sampled if len(t) >= least]
        if not parts:
            return None
        return Samples.in_blocks(parts, BLOCKS_PER_REPLICA)

    def converged(self) -> bool:
        """Whether there is a target, and what has been sampled so far meets it."""
        return self.settings.target_error is not None and self.verdict().converged

    def verdict(self) -> Verdict:
        """Whether what has been sampled so far has converged."""
        samples = self.samples()
        assert samples is not None
        return self._assembly.verdict(samples, [replica.series() for replica in self.replicas])

    def report_due(self) -> bool:
        """Whether it is time to report progress again."""
        if time.monotonic() - self._reported < REPORT_SECONDS:
            return False
        self._reported = time.monotonic()
        return True

    def progress(self) -> Progress:
        """How far the run has come."""
        tallies = sum(len(replica.tallies) for replica in self.replicas)
        samples = self.samples(PREVIEW_BLOCKS)
        return self._assembly.progress(self.steps, self.steps_per_second, tallies, samples)

    def result(self) -> SimulationResult:
        """What the run gives."""
        samples = self.samples()
        assert samples is not None
        record = Record(
            samples,
            [replica.series() for replica in self.replicas],
            [replica.potential_energies() for replica in self.replicas],
            self.replicas[0].snapshots,
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
