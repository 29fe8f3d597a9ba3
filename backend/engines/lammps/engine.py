"""LAMMPS engine: runs independent replicas, each in a child process."""

from __future__ import annotations

import math
import shutil
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
from backend.sampling.equilibration import Measured
from backend.sampling.result import Cancelled, Progress, SimulationError, SimulationResult
from backend.sampling.samples import Samples
from backend.sampling.schedule import BLOCKS_PER_REPLICA, PREVIEW_BLOCKS, Schedule
from backend.sampling.summary import Timings
from backend.settings import RunSettings
from backend.system import SlitSystem

REPORT_SECONDS = 1.0
POLL_SECONDS = 0.1
IONS_PER_RANK = 200
"""Minimum number of ions per MPI rank."""


class Job:
    """Replicas of one run and their combined samples.

    Parameters
    ----------
    system, settings
        The simulated system and the settings of the run.
    folder : Path
        Folder in which LAMMPS reads and writes.
    method : Method, optional
        Parameters of the Coulomb forces; by default chosen for the system.
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
        """Run all replicas as in `run`; return the number of tallies per replica to evaluate."""
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
            problem = "LAMMPS ended before sampling was complete: repeat the run"
            raise SimulationError(problem, FAILED)
        return tallies

    def _advance(self, threads: int) -> bool:
        """Start waiting replicas and check finished ones; return False when all have finished."""
        ranks = max(1, min(threads // len(self.replicas), self.system.ion_count // IONS_PER_RANK))
        running = 0
        self._replace_replicas()
        for replica in self.replicas:
            # convergence is checked for all replicas together, so all must run at the same time
            room = running < max(1, threads) or self.settings.target_error is not None
            if replica.process is None and room:
                replica.start(self.program, self.method, ranks)
            if replica.process is None or not replica.process.finished():
                running += 1
            elif problem := replica.process.problem():
                raise self._error(problem, replica)
            elif replica.phase == "sampling" and not replica.equilibrated:
                running += 1  # it ended after `_replace_replicas`
        return running > 0

    def _replace_replicas(self) -> None:
        """Replace replicas whose equilibration turned out too short."""
        for replica in self.replicas:
            if following := replica.replacement():
                assert replica.process is not None
                replica.process.end()
                shutil.rmtree(replica.folder)
                self.replicas[replica.index] = following

    def _error(self, problem: SimulationError, replica: Replica) -> SimulationError:
        where = f"at step {replica.steps_done} of replica {replica.index}"
        return SimulationError(f"{problem}, {where}", problem.name)

    # --- output of the replicas -------------------------------------------------------------

    @property
    def steps(self) -> int:
        """Completed time steps, summed over the replicas."""
        return sum(replica.steps_done for replica in self.replicas)

    def samples(self, tallies: int) -> Samples:
        """Return the blocks of the first `tallies` tallies of each replica."""
        return Samples.in_blocks([r.samples(tallies) for r in self.replicas], BLOCKS_PER_REPLICA)

    def stage_reached(self) -> int:
        """Return the number of tallies per replica at the last stage completed by all, or 0."""
        tallies = min(replica.read_tallies() for replica in self.replicas)
        return max((stage for stage in self.schedule.stages if stage <= tallies), default=0)

    def converged_at(self) -> int:
        """Return the number of tallies per replica at which the target error was reached, or 0."""
        if self.settings.target_error is None:
            return 0
        reached = self.stage_reached()
        while self._stages and self._stages[0] <= reached:
            stage = self._stages.pop(0)
            if self.verdict(stage).converged:
                return stage
        return 0

    def verdict(self, tallies: int) -> Verdict:
        """Evaluate the convergence of the first `tallies` tallies of each replica."""
        return self._assembly.verdict(self.samples(tallies), self._series(tallies))

    def _series(self, tallies: int) -> list[np.ndarray]:
        return [replica.series(tallies) for replica in self.replicas]

    def progress(self) -> Progress:
        """Return the progress of the run."""
        tallies = [replica.read_tallies() for replica in self.replicas]
        enough = min(tallies) >= PREVIEW_BLOCKS
        samples = self.samples(min(tallies)) if enough else None
        speed = self._timings().steps_per_second
        schedule = max((r.schedule for r in self.replicas), key=lambda each: each.equilibration)
        return self._assembly.progress(schedule, self.steps, speed, sum(tallies), samples)

    def _timings(self) -> Timings:
        seconds, steps = time.monotonic() - self.started, self.steps
        return Timings(seconds, steps, steps / seconds if steps else None)

    def result(self, tallies: int) -> SimulationResult:
        """Return the result of the first `tallies` tallies of each replica."""
        record = Record(
            self.samples(tallies),
            self._series(tallies),
            [replica.potential_energies(tallies) for replica in self.replicas],
            self.replicas[0].snapshots(tallies),
            Measured.of([replica.equilibration_series() for replica in self.replicas]),
        )
        result = self._assembly.result(
            record, self._timings(), checks={}, versions={"lammps": self.program.version}
        )
        assert result.summary.checks is not None
        temperature = result.summary.checks.temperature
        if abs(temperature - 1) > TEMPERATURE_TOLERANCE and self.settings.thermostat != "none":
            problem = f"the ions are at {temperature:.2f} times the set temperature"
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

    Profiles are obtained by counting ions. All forces are computed in every time step, so the
    multiple-time-step settings only determine how often ions are counted.

    Parameters
    ----------
    system, settings
        The system to simulate and the settings of the run.
    threads : int
        Number of simultaneous processes: one per replica, or several MPI ranks per replica if
        there are more threads than replicas.
    on_progress : callable
        Called about once a second with a `Progress`.
    should_stop : callable
        Called several times a second; returns True to cancel the run.

    Returns
    -------
    SimulationResult

    Raises
    ------
    Cancelled
        `should_stop` returned True.
    SimulationError
        LAMMPS is not installed or failed; the message gives the reason and a remedy.
    """
    with tempfile.TemporaryDirectory(prefix="nanoconf-lammps-") as folder:
        job = Job(system, settings, Path(folder))
        return job.result(job.simulate(threads, on_progress, should_stop))


def forces(
    system: SlitSystem, positions: np.ndarray, method: Method | None = None, *, ranks: int = 1
) -> np.ndarray:
    """Compute the total forces on the ions of a configuration with LAMMPS.

    Parameters
    ----------
    system : SlitSystem
    positions : ndarray, shape (3, ions)
        Positions (nm).
    method : Method, optional
        Parameters of the Coulomb forces; by default those of a run.
    ranks : int
        Number of MPI ranks.

    Returns
    -------
    ndarray, shape (3, ions)
        Forces (k_BT/nm).
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
