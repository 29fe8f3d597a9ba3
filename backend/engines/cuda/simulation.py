"""One system, simulated as replicas that advance in step."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np

from backend.electrostatics import splitting
from backend.engines.cuda.batch import Chunk, Rhythm
from backend.engines.cuda.slit import (
    FIXED_POINT,
    NO_PROBLEM,
    STATE_ROWS,
    Shape,
    constant_energy,
    slit_record,
)
from backend.inputs import InvalidInput
from backend.sampling import checks, estimators
from backend.sampling.assembly import Assembly, Record
from backend.sampling.equilibration import SLOW, Measured, longer
from backend.sampling.lattice import lattice
from backend.sampling.result import Progress, SimulationResult
from backend.sampling.samples import SERIES, Samples
from backend.sampling.schedule import BLOCKS_PER_REPLICA, PREVIEW_BLOCKS, Schedule
from backend.sampling.summary import Timings
from backend.settings import RunSettings
from backend.system import SlitSystem

PROBLEMS = {1: checks.NOT_FINITE, 2: checks.THROUGH_WALL, 3: checks.TOO_MANY_PAIRS}
"""Problems that the kernel reports, by the value of ``Status`` in the source."""

FEWEST_BLOCKS = 40
"""Minimum number of blocks of a run, unless it has a single replica. With many replicas, each is a
block: longer blocks are less correlated."""

SLOW_COLUMNS = [SERIES.index(name) for name in SLOW]


class Simulation:
    """Replicas of one run: what they have sampled, and what remains to be done.

    A card advances a thousand of them in a few milliseconds, so what is recorded stays in the units
    of the kernel until it is evaluated.

    Parameters
    ----------
    system, settings
        The system to simulate and the settings of the run.
    """

    def __init__(self, system: SlitSystem, settings: RunSettings):
        self.system, self.settings = system, settings
        self.schedule = Schedule.of(system, settings)
        self.shape = Shape.of(system.ion_count)
        self.rhythm = Rhythm(
            rows=self.schedule.rows_per_chunk,
            samples_per_row=self.schedule.samples_per_row,
            intervals=settings.steps_per_sample // settings.coulomb_split,
            split=settings.coulomb_split,
        )
        self._check_snapshots()
        self._assembly = Assembly(system, settings, estimators.force_sampling)
        self.equilibration: list[np.ndarray] = []
        self.series: list[np.ndarray] = []
        self.tallies: list[np.ndarray] = []
        self.energies: list[np.ndarray] = []
        self.snapshots: list[np.ndarray] = []
        self.first_energy = np.full(settings.replicas, math.nan)
        self.sampling = False
        self.finish = False
        self.done = False
        self.chunks_done = 0
        self.started = time.monotonic()
        self.moving: float | None = None

    def _check_snapshots(self) -> None:
        most = self.schedule.stages[-1] * self.schedule.chunks_per_tally
        if self.settings.snapshots > most:
            allowed = f"must be at most {most} in a run of this length with the CUDA engine"
            raise InvalidInput("snapshots", self.settings.snapshots, allowed)

    # --- start ------------------------------------------------------------------------------

    def slits(self) -> list[np.ndarray]:
        """Return the constants of each replica."""
        replicas = range(self.settings.replicas)
        return [slit_record(self.system, self.settings, index) for index in replicas]

    def initial_states(self) -> np.ndarray:
        """Return lattices and random velocities, shape (replicas, 12, ions), not yet relaxed."""
        states = np.zeros((self.settings.replicas, STATE_ROWS, self.system.ion_count), np.float32)
        for index, state in enumerate(states):
            rng = np.random.default_rng([self.settings.seed, index])
            positions = lattice(self.system, rng) / self.system.box_length
            positions[:2] -= np.rint(positions[:2])
            velocities = rng.standard_normal(positions.shape)
            if self.settings.thermostat != "langevin":  # only Langevin noise removes a drift
                velocities[:2] -= velocities[:2].mean(axis=1, keepdims=True)
            state[:3], state[3:6] = positions, velocities
        return states

    def begin(self, states: np.ndarray, energies: np.ndarray) -> None:
        """Check the relaxed states and their potential energies, which `Batch.prepare` returns."""
        forces = np.abs(states[:, 6:9] + states[:, 9:12]).max(axis=(1, 2))
        forces *= self.system.smaller_diameter / self.system.box_length
        for index, force in enumerate(forces):
            self._require(checks.OVERLAP, float(force), checks.LARGEST_FIRST_FORCE, index)
        self.first_energy = energies + 0.5 * np.sum(states[:, 3:6].astype(float) ** 2, axis=(1, 2))

    # --- sampling ---------------------------------------------------------------------------

    @property
    def steps(self) -> int:
        """Completed time steps of a replica."""
        return self.chunks_done * self.schedule.samples_per_chunk * self.settings.steps_per_sample

    @property
    def tally_due(self) -> bool:
        """True if the chunks since the last tally complete a tally."""
        chunks = self.chunks_done - len(self.equilibration)
        return self.sampling and chunks > 0 and chunks % self.schedule.chunks_per_tally == 0

    def take(self, chunk: Chunk, slots: list[int]) -> None:
        """Record a chunk of the replicas in these slots of a batch.

        Raises
        ------
        SimulationError
            A replica has failed.
        """
        self.moving = self.moving or time.monotonic()
        if chunk.any_problem:
            self._report_problem(chunk, slots)
        self.chunks_done += 1
        series = chunk.series[slots]
        if self.sampling:
            self.series.append(series)
            return
        self.equilibration.append(series)
        self.sampling = self._equilibrated()

    def _report_problem(self, chunk: Chunk, slots: list[int]) -> None:
        for index, slot in enumerate(slots):
            if chunk.problem[slot] != NO_PROBLEM:
                step = self.steps + (chunk.sample[slot] + 1) * self.settings.steps_per_sample
                problem = PROBLEMS[int(chunk.problem[slot])]
                raise problem.error(self.settings, int(step), index)

    def _in_display_units(self, chunks: list[np.ndarray]) -> np.ndarray:
        """Return the series of chunks, shape (replicas, rows, 7), from the sums of the kernel."""
        length = self.system.box_length
        units = np.array([1 / self._degrees, length, 1, 1, 1 / length, 1 / length, 1 / length])
        sums = np.concatenate(chunks, axis=1)[..., : len(SERIES)]
        return sums * (units / (FIXED_POINT * self.rhythm.samples_per_row))

    @property
    def _degrees(self) -> int:
        """Degrees of freedom; without noise the total momenta along x and y are conserved."""
        return 3 * self.system.ion_count - (2 if self.settings.thermostat != "langevin" else 0)

    def _equilibrated(self) -> bool:
        """Return True if the equilibration is over; otherwise extend it."""
        if len(self.equilibration) < self.schedule.equilibration:
            return False
        if self.finish or self.measured().sufficient:
            return True
        shortest = Schedule.of(self.system, self.settings).equilibration
        following = longer(self.schedule.equilibration, shortest)
        if following:
            self.schedule = replace(self.schedule, equilibration=following)
        return not following

    def measured(self) -> Measured:
        """Return the relaxation times measured in the equilibration."""
        return Measured.of(list(self._in_display_units(self.equilibration)[..., SLOW_COLUMNS]))

    def take_tally(self, profiles: np.ndarray, energies: np.ndarray, kinetic: np.ndarray) -> None:
        """Record the sums since the last tally, and decide whether the run is over.

        Parameters
        ----------
        profiles : ndarray of int64, shape (replicas, 2, 3, bins)
        energies, kinetic : ndarray, shape (replicas,)
            Potential energies as in `Chunk`, and kinetic energies, at the end of the tally.
        """
        self.tallies.append(
            profiles.astype(np.float32)
        )  # otherwise, a thousand systems would fill the memory
        self._check(energies, kinetic)
        self.energies.append(energies)
        done = len(self.tallies)
        if self.finish and done >= BLOCKS_PER_REPLICA:
            self.done = True
        elif done in self.schedule.stages:
            self.done = done == self.schedule.stages[-1] or self._converged()

    def _check(self, energies: np.ndarray, kinetic: np.ndarray) -> None:
        if self.settings.thermostat == "none":
            drift = (kinetic + energies - self.first_energy) / kinetic
            for index, share in enumerate(drift):
                self._require(checks.ENERGY, float(share), checks.ENERGY_TOLERANCE, index)
            return
        chunks = self.series[-self.schedule.chunks_per_tally :]
        temperature = self._in_display_units(chunks)[..., SERIES.index("temperature")]
        for index, error in enumerate(temperature.mean(axis=1) - 1):
            self._require(checks.TEMPERATURE, float(error), checks.TEMPERATURE_TOLERANCE, index)

    def _require(self, problem: checks.Problem, value: float, limit: float, index: int) -> None:
        if not checks.within(value, limit):
            raise problem.error(self.settings, self.steps, index, value)

    def _converged(self) -> bool:
        if self.settings.target_error is None:
            return False
        samples = self.samples()
        assert samples is not None
        return self._assembly.verdict(samples, self._series()).converged

    @property
    def snapshot_due(self) -> bool:
        """True if a configuration of the first replica is to be saved."""
        wanted, taken = self.settings.snapshots, len(self.snapshots)
        if not self.sampling or taken >= wanted:
            return False
        samples = len(self.series) * self.schedule.samples_per_chunk
        return samples >= (taken + 1) * self.schedule.samples_per_snapshot(wanted)

    def take_snapshot(self, positions: np.ndarray) -> None:
        """Save positions in units of the kernel, shape (3, ions)."""
        self.snapshots.append(positions.astype(float) * self.system.box_length)

    # --- result -----------------------------------------------------------------------------

    def samples(self, least: int = BLOCKS_PER_REPLICA) -> Samples | None:
        """Return the blocks of all replicas; None if there are fewer than `least` tallies."""
        if len(self.tallies) < least:
            return None
        rows = self.schedule.rows_per_chunk * self.schedule.chunks_per_tally
        samples = self.schedule.samples_per_tally
        sums = np.array(self.tallies, dtype=float)
        sums[:, :, :, 1:] /= FIXED_POINT * self.system.box_length
        replicas = [
            Samples(each[:, :, 0], each[:, :, 1], each[:, :, 2], samples, rows)
            for each in np.moveaxis(sums, 1, 0)
        ]
        blocks = math.ceil(FEWEST_BLOCKS / self.settings.replicas)
        return Samples.in_blocks(replicas, min(blocks, BLOCKS_PER_REPLICA))

    def _series(self) -> list[np.ndarray]:
        return list(self._in_display_units(self.series))

    def _steps_per_second(self) -> float | None:
        if self.moving is None or not self.steps:
            return None
        seconds = max(time.monotonic() - self.moving, 1e-6)
        return self.steps * self.settings.replicas / seconds

    def progress(self) -> Progress:
        """Return the progress of the run."""
        tallies = len(self.tallies) * self.settings.replicas
        steps, rate = self.steps * self.settings.replicas, self._steps_per_second()
        samples = self.samples(PREVIEW_BLOCKS)
        return self._assembly.progress(self.schedule, steps, rate, tallies, samples)

    def result(self, versions: Mapping[str, str]) -> SimulationResult:
        """Return the result of the run; `versions` are those of the device."""
        samples = self.samples()
        assert samples is not None
        constant, error = self._fit
        energies = list(np.transpose(self.energies) + constant)
        record = Record(samples, self._series(), energies, self.snapshots, self.measured())
        steps = self.steps * self.settings.replicas
        timings = Timings(time.monotonic() - self.started, steps, self._steps_per_second())
        return self._assembly.result(
            record, timings, checks={"pair_force_error": error}, versions=versions
        )

    @cached_property
    def _fit(self) -> tuple[float, float]:
        """The constant of the energy (k_BT), and the error of the fitted pair forces."""
        width_to_box = self.system.confinement_length / self.system.box_length
        error = splitting(width_to_box, self.settings.electrostatics).error
        return constant_energy(self.system, self.settings), error

    # --- checkpoints ------------------------------------------------------------------------

    LISTS = ("equilibration", "series", "tallies", "energies", "snapshots")

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return everything recorded so far by name, for `resume`."""
        seconds = time.monotonic() - self.moving if self.moving else 0.0
        return {name: np.array(getattr(self, name)) for name in self.LISTS} | {
            "first_energy": self.first_energy,
            "counts": np.array([self.chunks_done, self.schedule.equilibration, self.sampling]),
            "seconds": np.array(seconds),
            "fit": np.array(self._fit),
        }

    def resume(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Restore what `to_arrays` returned."""
        for name in self.LISTS:
            setattr(self, name, list(arrays[name]))
        self.first_energy = arrays["first_energy"]
        self.chunks_done, equilibration, sampling = (int(each) for each in arrays["counts"])
        self.sampling = bool(sampling)
        constant, error = (float(each) for each in arrays["fit"])
        self._fit = constant, error
        self.schedule = replace(self.schedule, equilibration=equilibration)
        self.started = self.moving = time.monotonic() - float(arrays["seconds"])
