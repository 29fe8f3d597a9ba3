"""Simulations that share a batch: each occupies one slot per replica until it is done."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from backend.engines.cuda.batch import Batch
from backend.engines.cuda.device import Device
from backend.engines.cuda.simulation import Simulation
from backend.sampling.result import SimulationError


class Crew:
    """Simulations with the same shape and rhythm on one device.

    Parameters
    ----------
    device : Device
    like : Simulation
        Simulation with the common shape and rhythm.
    slots : int
        Largest number of replicas of all simulations together.
    """

    def __init__(self, device: Device, like: Simulation, slots: int):
        self._device = device
        self.versions = device.versions
        self.batch = Batch(device, like.shape, like.rhythm, slots)
        self.slots: dict[Simulation, list[int]] = {}
        self._free = list(range(slots))

    @property
    def room(self) -> int:
        """Number of empty slots."""
        return len(self._free)

    def start(self, simulations: list[Simulation]) -> dict[Simulation, SimulationError]:
        """Relax the initial configurations of simulations and put them into empty slots.

        Returns those in which ions still overlap, with the error.
        """
        failed = {}
        for simulation, (states, energies) in self._relaxed(simulations).items():
            try:
                simulation.begin(states, energies)
            except SimulationError as error:
                failed[simulation] = error
                continue
            self._place(simulation, states, np.zeros(len(states), np.uint64))
        return failed

    def _relaxed(
        self, simulations: list[Simulation]
    ) -> dict[Simulation, tuple[np.ndarray, np.ndarray]]:
        """Return the states and potential energies of the replicas of each simulation."""
        ends = np.cumsum([simulation.settings.replicas for simulation in simulations])
        stage = Batch(self._device, self.batch.shape, self.batch.rhythm, int(ends[-1]))
        try:
            slot = 0
            for simulation in simulations:
                states = simulation.initial_states()
                for slit, state in zip(simulation.slits(), states, strict=True):
                    stage.place(slot, slit, state)
                    slot += 1
            energies = stage.prepare()
            states = stage.state.get()
        finally:
            stage.free()
        return {
            simulation: (part[..., : simulation.system.ion_count], energy)
            for simulation, part, energy in zip(
                simulations,
                np.split(states, ends[:-1]),
                np.split(energies, ends[:-1]),
                strict=True,
            )
        }

    def _place(self, simulation: Simulation, states: np.ndarray, clocks: np.ndarray) -> None:
        slots = [self._free.pop() for _ in states]
        for slot, slit, state, clock in zip(slots, simulation.slits(), states, clocks, strict=True):
            self.batch.place(slot, slit, state, int(clock))
        self.slots[simulation] = slots

    def remove(self, simulation: Simulation) -> None:
        """Empty the slots of a simulation."""
        for slot in self.slots.pop(simulation):
            self.batch.remove(slot)
            self._free.append(slot)

    def advance(self) -> dict[Simulation, SimulationError]:
        """Advance all simulations by a chunk; return and remove those that failed."""
        chunk = self.batch.advance()
        failed, sampling_began, tallied = {}, [], []
        for simulation, slots in self.slots.items():
            sampled = simulation.sampling
            try:
                simulation.take(chunk, slots)
            except SimulationError as error:
                failed[simulation] = error
                continue
            if simulation.tally_due:
                tallied.append(simulation)
            elif simulation.sampling != sampled:
                sampling_began.append(simulation)
            if simulation.snapshot_due:
                state = self.batch.state.get_row(slots[0])
                simulation.take_snapshot(state[:3, : simulation.system.ion_count])
        failed |= self._tally(tallied, chunk.energy)
        for simulation in (*sampling_began, *tallied):
            self._clear_profiles(simulation)
        for simulation in failed:
            self.remove(simulation)
        return failed

    def _tally(
        self, simulations: list[Simulation], energies: np.ndarray
    ) -> dict[Simulation, SimulationError]:
        """Record the sums of these simulations; return those that failed."""
        failed: dict[Simulation, SimulationError] = {}
        if not simulations:
            return failed
        rows = [slot for simulation in simulations for slot in self.slots[simulation]]
        profiles, row = self.batch.profiles.get_rows(rows), 0
        for simulation in simulations:
            slots = self.slots[simulation]
            tallied, row = profiles[row : row + len(slots)], row + len(slots)
            try:
                simulation.take_tally(tallied, energies[slots], self._kinetic(simulation))
            except SimulationError as error:
                failed[simulation] = error
        return failed

    def _kinetic(self, simulation: Simulation) -> np.ndarray:
        """Return the kinetic energies, which only a run without a thermostat checks."""
        slots = self.slots[simulation]
        if simulation.settings.thermostat != "none":
            return np.zeros(len(slots))
        count = simulation.system.ion_count
        states = np.array([self.batch.state.get_row(slot)[3:6, :count] for slot in slots])
        return 0.5 * np.sum(states.astype(float) ** 2, axis=(1, 2))

    def _clear_profiles(self, simulation: Simulation) -> None:
        for slot in self.slots[simulation]:
            self.batch.profiles.zero_row(slot)

    # --- checkpoints ------------------------------------------------------------------------

    def to_arrays(self, simulation: Simulation) -> dict[str, np.ndarray]:
        """Return the complete state of a simulation by name."""
        slots, batch = self.slots[simulation], self.batch
        count = simulation.system.ion_count
        return simulation.to_arrays() | {
            "states": np.array([batch.state.get_row(slot)[:, :count] for slot in slots]),
            "profiles": np.array([batch.profiles.get_row(slot) for slot in slots]),
            "clocks": batch.clock.get()[slots],
        }

    def resume(self, simulation: Simulation, arrays: Mapping[str, np.ndarray]) -> None:
        """Put a simulation into empty slots with the state that `to_arrays` returned."""
        simulation.resume(arrays)
        self._place(simulation, arrays["states"], arrays["clocks"])
        for slot, profiles in zip(self.slots[simulation], arrays["profiles"], strict=True):
            self.batch.profiles.set_row(slot, profiles)

    def free(self) -> None:
        """Free the memory of the device."""
        self.batch.free()
