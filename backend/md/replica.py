"""One independent simulation: its state, its random numbers, what it has sampled."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from backend.md import estimators, integrators
from backend.md.forces import ForceField, force_field
from backend.md.integrators import State, Stepping
from backend.md.lattice import lattice
from backend.md.schedule import Schedule
from backend.md.thermostats import CHAIN_LENGTH
from backend.profiles import BINS
from backend.result import SimulationError
from backend.settings import RunSettings
from backend.system import SlitSystem

FRICTION = 0.5
"""Friction of the Langevin thermostat (1/τ): weak enough to let ions diffuse across freely."""

CHAIN_TIME = 0.5
"""Time in which a Nosé-Hoover chain answers (τ)."""

SKIN = 0.5
"""Margin of the neighbour list, in diameters of the larger ion."""

RELAXATION_STEPS = 200
"""Steps that undo what overlaps there are on the first lattice."""

TEMPERATURE_TOLERANCE = 0.25
"""By what share the temperature of a tally may be off: five standard deviations and more."""

TROUBLE = {
    integrators.NOT_FINITE: "a position is no longer a finite number",
    integrators.THROUGH_WALL: "an ion went through a wall",
    integrators.TOO_MANY_PAIRS: "ions crowd together beyond what the neighbour list holds",
}


@dataclass
class Replica:
    """One independent simulation.

    Parameters
    ----------
    system, settings
        What is simulated, and how.
    index : int
        Which replica of the run; the seed and the index fix its random numbers.
    """

    system: SlitSystem
    settings: RunSettings
    index: int
    tallies: list[estimators.Tally] = field(default_factory=list)
    steps_done: int = 0

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
        """The state at present; made from a lattice, and relaxed, when first asked for."""
        positions = lattice(self.system, self.rng)
        velocities = self.rng.standard_normal(positions.shape)
        if self.settings.thermostat != "langevin":  # nothing else would stop a drift
            velocities[:2] -= velocities[:2].mean(axis=1, keepdims=True)
        noise = int(self.rng.integers(2**64, dtype=np.uint64))
        state = integrators.initial_state(positions, velocities, self.force_field, noise)
        largest_move = 0.01 * min(self.system.diameters)
        integrators.relax(state, self.force_field, self.stepping, RELAXATION_STEPS, largest_move)
        integrators.start(state, self.force_field, self.stepping)
        return state

    def prepare(self) -> None:
        """Make the first state, which compiles the engine where it is not yet compiled."""
        _ = self.state

    def series(self) -> np.ndarray:
        """What was recorded in time, shape (rows, len(SERIES))."""
        return np.concatenate([tally.series for tally in self.tallies])

    def equilibrate(self, schedule: Schedule) -> None:
        """Advance by one chunk without keeping anything of it."""
        self._advance(self._empty_tally(schedule, 1), 0, schedule)

    def sample(self, schedule: Schedule, stop: threading.Event) -> None:
        """Advance by one tally, chunk by chunk, and keep it; nothing is kept if `stop` is set."""
        tally = self._empty_tally(schedule, schedule.chunks_per_tally)
        for chunk in range(schedule.chunks_per_tally):
            if stop.is_set():
                return
            self._advance(tally, chunk * schedule.samples_per_chunk, schedule)
        self._check_temperature(tally)
        self.tallies.append(tally)

    def _empty_tally(self, schedule: Schedule, chunks: int) -> estimators.Tally:
        rows = chunks * schedule.rows_per_chunk
        return estimators.empty_tally(self.system, BINS, rows, schedule.samples_per_row)

    def _advance(self, tally: estimators.Tally, first: int, schedule: Schedule) -> None:
        samples = schedule.samples_per_chunk
        trouble = integrators.advance(
            self.state, self.force_field, self.stepping, first, samples, tally
        )
        self.steps_done += samples * self.settings.steps_per_sample
        if trouble != integrators.OK:
            raise self._error(TROUBLE[trouble])

    def _check_temperature(self, tally: estimators.Tally) -> None:
        """Too large a time step heats the ions long before anything breaks."""
        temperature = tally.series[:, estimators.SERIES.index("temperature")].mean()
        off = abs(temperature - 1) > TEMPERATURE_TOLERANCE
        if off and self.settings.thermostat != "none":
            raise self._error(f"the ions are at {temperature:.2f} times the temperature set")

    def _error(self, what: str) -> SimulationError:
        return SimulationError(
            f"{what} at step {self.steps_done} of replica {self.index}: "
            f"try a smaller time step than {self.settings.time_step:g} τ"
        )


def stepping(system: SlitSystem, settings: RunSettings) -> Stepping:
    """Constants of the integrator for a system (τ is one diameter long in its units)."""
    tau = system.positive_diameter
    interval = settings.time_step * settings.coulomb_split
    friction = FRICTION if settings.thermostat == "langevin" else 0.0
    # without noise the momenta along x and y never change
    degrees = 3 * system.ion_count - (2 if settings.thermostat != "langevin" else 0)
    inertia = np.zeros(CHAIN_LENGTH)
    if settings.thermostat == "nose-hoover":
        inertia[:] = (CHAIN_TIME * tau) ** 2
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
