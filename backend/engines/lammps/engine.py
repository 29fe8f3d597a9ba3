"""Runs a simulation through LAMMPS: independent replicas, a child process each."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from backend.engines.lammps import script
from backend.engines.lammps.program import FAILED, SMALLER_STEP, Process, find
from backend.engines.lammps.replica import Replica
from backend.engines.lammps.script import Method
from backend.sampling import estimators
from backend.sampling.assembly import Assembly, Record
from backend.sampling.checks import TEMPERATURE, TEMPERATURE_TOLERANCE
from backend.sampling.convergence import Verdict
from backend.sampling.result import Cancelled, Progress, SimulationError, SimulationResult
from backend.sampling.samples import Samples
from backend.sampling.schedule import BLOCKS_PER_REPLICA, PREVIEW_BLOCKS, Schedule
from backend.sampling.summary import Timings
from backend.settings import RunSettings
from backend.system import SlitSystem

REPORT_SECONDS = 1.0
POLL_SECONDS = 0.1
IONS_PER_RANK = 200
"""Ions that are worth an MPI rank of their own."""


class Job:
    """The replicas of one run and what they have sampled together.

    Parameters
    ----------
    system, settings
        What is simulated, and how.
    folder : Path
        Where LAMMPS reads and writes.
    method : Method, optional
        How LAMMPS computes the forces; chosen for the system where it is left out.
    """

    def __init__(
        self,
        system: SlitSystem,
        settings: RunSettings,
        folder: Path,
        method: Method | None = None,
    ):
        self.system, self.settings = system, settings
        self.program = find()
        self.method = method or Method.of(system, self.program.suffix)
        self.schedule = Schedule.of(system, settings)
        self._assembly = Assembly(system, settings, estimators.histogram)
        self.replicas = [Replica(system, settings, i, folder) for i in range(settings.replicas)]
        self.started = time.monotonic()
        self._stages = list(self.schedule.stages)

    # --- processes --------------------------------------------------------------------------

    def simulate(
        self,
        threads: int,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> int:
        """Run all replicas to the end, as `run` says; returns how many tallies of each count."""
        reported = -math.inf
        converged_at = 0
        try:
            while self._advance(threads) and not converged_at:
                if should_stop():
                    raise Cancelled("cancelled")
                if time.monotonic() - reported >= REPORT_SECONDS:
                    on_progress(self.progress())
                    reported = time.monotonic()
                    converged_at = self.converged_at()
                time.sleep(POLL_SECONDS)
        finally:
            for replica in self.replicas:
                if replica.process:
                    replica.process.end()
        tallies = converged_at or self.converged_at() or self.schedule.stages[-1]
        if min(replica.read_tallies() for replica in self.replicas) < tallies:
            problem = "LAMMPS ended before it had sampled all: run it again"
            raise SimulationError(problem, FAILED)
        return tallies

    def _advance(self, threads: int) -> bool:
        """Start what can be started and see to what is over; False once all are."""
        ranks = max(1, min(threads // len(self.replicas), self.system.ion_count // IONS_PER_RANK))
        running = 0
        for replica in self.replicas:
            # with a target error all are judged together, so all have to move
            room = running < max(1, threads) or self.settings.target_error is not None
            if replica.process is None and room:
                replica.start(self.program, self.method, ranks)
            if replica.process is None or not replica.process.finished():
                running += 1
            elif problem := replica.process.problem():
                raise self._error(problem, replica)
        return running > 0

    def _error(self, problem: SimulationError, replica: Replica) -> SimulationError:
        where = f"at step {replica.steps_done} of replica {replica.index}"
        return SimulationError(f"{problem}, {where}", problem.name)

    # --- what they have told ----------------------------------------------------------------

    @property
    def steps(self) -> int:
        """Time steps done by all replicas together."""
        return sum(replica.steps_done for replica in self.replicas)

    def samples(self, tallies: int) -> Samples:
        """Blocks of the first so many tallies of each replica."""
        return Samples.in_blocks([r.samples(tallies) for r in self.replicas], BLOCKS_PER_REPLICA)

    def stage_reached(self) -> int:
        """Tallies of each replica at the end of the last stage that all have reached, or 0."""
        tallies = min(replica.read_tallies() for replica in self.replicas)
        return max((stage for stage in self.schedule.stages if stage <= tallies), default=0)

    def converged_at(self) -> int:
        """Tallies of each replica with which the target error was reached; 0 until it is."""
        if self.settings.target_error is None:
            return 0
        reached = self.stage_reached()
        while self._stages and self._stages[0] <= reached:
            stage = self._stages.pop(0)
            if self.verdict(stage).converged:
                return stage
        return 0

    def verdict(self, tallies: int) -> Verdict:
        """Whether the first so many tallies of each replica have converged."""
        return self._assembly.verdict(self.samples(tallies), self._series(tallies))

    def _series(self, tallies: int) -> list[np.ndarray]:
        return [replica.series(tallies) for replica in self.replicas]

    def progress(self) -> Progress:
        """How far the run has come."""
        tallies = [replica.read_tallies() for replica in self.replicas]
        enough = min(tallies) >= PREVIEW_BLOCKS
        samples = self.samples(min(tallies)) if enough else None
        speed = self._timings().steps_per_second
        return self._assembly.progress(self.steps, speed, sum(tallies), samples)

    def _timings(self) -> Timings:
        seconds, steps = time.monotonic() - self.started, self.steps
        return Timings(seconds, steps, steps / seconds if steps else None)

    def result(self, tallies: int) -> SimulationResult:
        """What the first so many tallies of each replica give."""
        record = Record(
            self.samples(tallies),
            self._series(tallies),
            [replica.potential_energies(tallies) for replica in self.replicas],
            self.replicas[0].snapshots(tallies),
        )
        result = self._assembly.result(
            record, self._timings(), checks={}, versions={"lammps": self.program.version}
        )
        assert result.summary.checks is not None
        temperature = result.summary.checks.temperature
        if abs(temperature - 1) > TEMPERATURE_TOLERANCE and self.settings.thermostat != "none":
            problem = f"the ions are at {temperature:.2f} times the temperature set"
            raise SimulationError(f"{problem}: {SMALLER_STEP}", TEMPERATURE.name)
        return result


def run(
    system: SlitSystem,
    settings: RunSettings,
    *,
    threads: int = 1,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> SimulationResult:
    """Simulate a system with LAMMPS.

    Profiles come from counting ions. Forces are all computed in every time step, so that the
    settings of multiple time steps only say how often ions are counted.

    Parameters
    ----------
    system, settings
        What is simulated, and how.
    threads : int
        Processes at the same time: a replica each, or several MPI ranks where there are more.
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
        There is no LAMMPS, or it failed; the message says why and what to do.
    """
    with tempfile.TemporaryDirectory(prefix="nanoconf-lammps-") as folder:
        job = Job(system, settings, Path(folder))
        return job.result(job.simulate(threads, on_progress, should_stop))


def forces(
    system: SlitSystem, positions: np.ndarray, method: Method | None = None, *, ranks: int = 1
) -> np.ndarray:
    """All forces on the ions of a configuration, as LAMMPS computes them.

    Parameters
    ----------
    system : SlitSystem
    positions : ndarray, shape (3, ions)
        nm.
    method : Method, optional
        That of a run where it is left out.
    ranks : int
        MPI ranks.

    Returns
    -------
    ndarray, shape (3, ions)
        k_BT/nm.
    """
    method = method or Method.of(system)
    program = find()
    with tempfile.TemporaryDirectory(prefix="nanoconf-lammps-") as name:
        folder = Path(name)
        (folder / script.DATA_FILE).write_text(script.data_text(system, positions))
        (folder / script.FORCE_INPUT).write_text(script.force_text(system, method))
        command = program.command("-in", script.FORCE_INPUT, *method.options, ranks=ranks)
        process = Process(command, folder)
        process.wait()
        if problem := process.problem():
            raise problem
        table = np.loadtxt(folder / script.FORCE_FILE, skiprows=9)
    return table[:, 1:].T / system.smaller_diameter
