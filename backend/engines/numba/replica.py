"""One independent simulation: its state, its random numbers and its samples."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from backend.engines.numba import integrators
from backend.engines.numba.forces import ForceField, constant_energy, force_field, potential_energy
from backend.engines.numba.integrators import State, Stepping
from backend.profiles.bins import BINS
from backend.sampling import checks
from backend.sampling.dynamics import (
    CHAIN_LENGTH,
    CHAIN_TIME,
    FRICTION,
    LARGEST_RELAXATION,
    RELAXATION_STEPS,
    SKIN,
)
from backend.sampling.equilibration import SLOW
from backend.sampling.lattice import lattice
from backend.sampling.result import SimulationError
from backend.sampling.samples import SERIES, Tally, empty_tally
from backend.sampling.schedule import Schedule
from backend.settings import RunSettings
from backend.system import SlitSystem

Start = Callable[[SlitSystem, np.random.Generator], np.ndarray]

PROBLEMS = {
    integrators.NOT_FINITE: checks.NOT_FINITE,
    integrators.THROUGH_WALL: checks.THROUGH_WALL,
    integrators.TOO_MANY_PAIRS: checks.TOO_MANY_PAIRS,
}
"""Problems that the integrator reports, by return value."""


@dataclass
class Replica:
    """One independent simulation.

    Parameters
    ----------
    system, settings
        The simulated system and the settings of the run.
    index : int
        Index of the replica; the seed and the index determine its random numbers.
    start : callable
        Returns initial positions (nm), shape (3, ions), for a system and a random generator.
    """

    system: SlitSystem
    settings: RunSettings
    index: int
    start: Start = lattice
    tallies: list[Tally] = field(default_factory=list)
    equilibration: list[np.ndarray] = field(default_factory=list)
    steps_done: int = 0
    open_tally: Tally | None = None
    chunks_in_open_tally: int = 0
    first_energy: float = math.nan
    snapshots: list[np.ndarray] = field(default_factory=list)

    @cached_property
    def force_field(self) -> ForceField:
        return force_field(self.system, self.settings.precision, self.settings.electrostatics)

    @cached_property
    def rng(self) -> np.random.Generator:
        return np.random.default_rng([self.settings.seed, self.index])

    @cached_property
    def stepping(self) -> Stepping:
        return stepping(self.system, self.settings)

    @cached_property
    def state(self) -> State:
        """Current state; on first access, a relaxed lattice."""
        # with another layout, the engine would be compiled again
        positions = np.ascontiguousarray(self.start(self.system, self.rng))
        velocities = self.rng.standard_normal(positions.shape)
        if self.settings.thermostat != "langevin":  # only Langevin noise removes a drift
            velocities[:2] -= velocities[:2].mean(axis=1, keepdims=True)
        noise = int(self.rng.integers(2**64, dtype=np.uint64))
        state = integrators.initial_state(positions, velocities, self.force_field, noise)
        largest_move = LARGEST_RELAXATION * min(self.system.diameters)
        integrators.relax(state, self.force_field, self.stepping, RELAXATION_STEPS, largest_move)
        integrators.start(state, self.force_field, self.stepping)
        force = largest_force(state, self.system)
        self._require(checks.OVERLAP, force, checks.LARGEST_FIRST_FORCE)
        if self.settings.thermostat == "none":
            kinetic = integrators.kinetic_energy(state.velocities)
            self.first_energy = kinetic + potential_energy(state.positions, self.force_field)
        return state

    @property
    def sampling(self) -> bool:
        """True if the equilibration is over and sampling has begun."""
        return bool(self.tallies) or self.open_tally is not None

    def prepare(self) -> None:
        """Create the initial state, which compiles the engine if necessary."""
        _ = self.state

    def series(self) -> np.ndarray:
        """Return the time series, shape (rows, len(SERIES))."""
        return np.concatenate([tally.series for tally in self.tallies])

    def potential_energies(self) -> np.ndarray:
        """Return the potential energy (k_BT) at the end of every tally, shape (tallies,)."""
        constant = constant_energy(self.system, self.settings.electrostatics)
        return constant + np.concatenate([tally.energy for tally in self.tallies])

    def equilibrate(self, schedule: Schedule) -> None:
        """Advance by one chunk; of its samples, keep only the series of `SLOW`."""
        tally = self._empty_tally(schedule, 1)
        self._advance(tally, 0, schedule.samples_per_chunk)
        self.equilibration.append(tally.series[:, [SERIES.index(name) for name in SLOW]])

    def _unmeasured(self) -> np.ndarray:
        """Return chunks without series, for the shortest equilibration."""
        chunks = Schedule.of(self.system, self.settings).equilibration
        return np.empty((chunks, 0, len(SLOW)))

    def equilibration_series(self, chunks: int) -> np.ndarray:
        """Return the series of the first chunks of the equilibration, shape (rows, len(SLOW))."""
        return np.concatenate(self.equilibration[:chunks])

    def sample(
        self,
        schedule: Schedule,
        stop: threading.Event,
        after_chunk: Callable[[], None] = lambda: None,
    ) -> None:
        """Advance to the end of a tally, chunk by chunk; leave it open if `stop` is set."""
        if self.open_tally is None:
            self.open_tally = self._empty_tally(schedule, schedule.chunks_per_tally)
            self.chunks_in_open_tally = 0
        tally = self.open_tally
        while self.chunks_in_open_tally < schedule.chunks_per_tally:
            if stop.is_set():
                return
            first = self.chunks_in_open_tally * schedule.samples_per_chunk
            self._sample_chunk(tally, first, schedule)
            self.chunks_in_open_tally += 1
            after_chunk()
        tally.energy[0] = potential_energy(self.state.positions, self.force_field)
        self._check(tally)
        self.tallies.append(tally)
        self.open_tally = None

    def _sample_chunk(self, tally: Tally, first: int, schedule: Schedule) -> None:
        """Advance by one chunk and save the snapshots that are due."""
        wanted = self.settings.snapshots if self.index == 0 else 0
        if not wanted:
            self._advance(tally, first, schedule.samples_per_chunk)
            return
        every = schedule.samples_per_snapshot(wanted)
        before = len(self.tallies) * schedule.samples_per_tally
        last = first + schedule.samples_per_chunk
        while first < last:
            samples = min(last - first, every - (before + first) % every)
            self._advance(tally, first, samples)
            first += samples
            if (before + first) % every == 0 and len(self.snapshots) < wanted:
                self.snapshots.append(self.state.positions.copy())

    def _empty_tally(self, schedule: Schedule, chunks: int) -> Tally:
        rows = chunks * schedule.rows_per_chunk
        return empty_tally(self.system, BINS, rows, schedule.samples_per_row)

    def _advance(self, tally: Tally, first: int, samples: int) -> None:
        outcome = integrators.advance(
            self.state, self.force_field, self.stepping, first, samples, tally
        )
        if outcome != integrators.OK:
            taken = round(tally.counts.sum() / self.system.ion_count) - first
            self.steps_done += (taken + 1) * self.settings.steps_per_sample
            raise self._error(PROBLEMS[outcome])
        self.steps_done += samples * self.settings.steps_per_sample

    # --- checks -----------------------------------------------------------------------------

    def _check(self, tally: Tally) -> None:
        if self.settings.thermostat != "none":
            error = checks.temperature_error(tally)
            self._require(checks.TEMPERATURE, error, checks.TEMPERATURE_TOLERANCE)
            return
        kinetic = float(integrators.kinetic_energy(self.state.velocities))
        share = (kinetic + tally.energy[0] - self.first_energy) / kinetic
        self._require(checks.ENERGY, share, checks.ENERGY_TOLERANCE)

    def _require(self, problem: checks.Problem, value: float, limit: float) -> None:
        if not checks.within(value, limit):
            raise self._error(problem, value)

    def _error(self, problem: checks.Problem, value: float = math.nan) -> SimulationError:
        return problem.error(self.settings, self.steps_done, self.index, value)

    # --- checkpoints ------------------------------------------------------------------------

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the complete state by name, for `resume`."""
        tallies = [*self.tallies, *([self.open_tally] if self.open_tally else [])]
        kept = [name for name in State._fields if name != "buffer"]
        arrays = {f"state.{name}": getattr(self.state, name) for name in kept}
        for name in Tally._fields:
            arrays[f"tallies.{name}"] = np.array([getattr(tally, name) for tally in tallies])
        return arrays | {
            "random": np.array(json.dumps(self.rng.bit_generator.state)),
            "steps_done": np.array(self.steps_done),
            "tallies_done": np.array(len(self.tallies)),
            "chunks_in_open_tally": np.array(self.chunks_in_open_tally),
            "first_energy": np.array(self.first_energy),
            "snapshots": np.array(self.snapshots),
            "equilibration": np.array(self.equilibration),
        }

    def resume(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Restore the state that `to_arrays` returned for an identical replica."""
        kept = {name: arrays[f"state.{name}"] for name in State._fields if name != "buffer"}
        self.state = State(**kept, buffer=integrators.work_space(self.force_field))
        fields = [arrays[f"tallies.{name}"] for name in Tally._fields]
        tallies = [Tally(*values) for values in zip(*fields, strict=True)]
        done = int(arrays["tallies_done"])
        self.tallies, rest = tallies[:done], tallies[done:]
        self.open_tally = rest[0] if rest else None
        self.rng.bit_generator.state = json.loads(str(arrays["random"]))
        self.steps_done = int(arrays["steps_done"])
        self.chunks_in_open_tally = int(arrays["chunks_in_open_tally"])
        self.first_energy = float(arrays["first_energy"])
        self.snapshots = list(arrays["snapshots"])
        self.equilibration = list(arrays.get("equilibration", self._unmeasured()))


def largest_force(state: State, system: SlitSystem) -> float:
    """Return the largest force component on an ion (k_BT per diameter of the smaller ion).

    Coulomb forces are included because they are NaN for ions at identical positions.
    """
    return float(np.abs(state.contact + state.coulomb).max()) * min(system.diameters)


def stepping(system: SlitSystem, settings: RunSettings) -> Stepping:
    """Return the constants of the integrator; in its units, τ equals the smaller diameter."""
    tau = system.smaller_diameter
    interval = settings.time_step * settings.coulomb_split
    friction = FRICTION / system.diameter_ratio if settings.thermostat == "langevin" else 0.0
    # without noise the total momenta along x and y are conserved
    degrees = 3 * system.ion_count - (2 if settings.thermostat != "langevin" else 0)
    inertia = np.zeros(CHAIN_LENGTH)
    if settings.thermostat == "nose-hoover":
        inertia[:] = (CHAIN_TIME * system.diameter_ratio * tau) ** 2
        inertia[0] *= degrees
    return Stepping(
        dt=settings.time_step * tau,
        coulomb_split=settings.coulomb_split,
        intervals=settings.steps_per_sample // settings.coulomb_split,
        memory=math.exp(-friction * interval),
        chain_inertia=inertia,
        degrees=float(degrees),
        skin=SKIN * max(system.diameters),
        half_width=system.confinement_length / 2,
    )
