"""Simulations that share a batch: each occupies one slot a replica until it is done."""

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

    def has_room(self, simulation: Simulation) -> bool:
        """Return True if there are enough empty slots."""
        return simulation.settings.replicas <= len(self._free)

    def start(self, simulation: Simulation) -> None:
        """Relax the initial configurations of a simulation and put it into empty slots.

        Raises
        ------
        SimulationError
            Ions still overlap.
        """
        replicas = simulation.settings.replicas
        stage = Batch(self._device, simulation.shape, simulation.rhythm, replicas)
        try:
            slits = simulation.slits()
            for slot, state in enumerate(simulation.initial_states()):
                stage.place(slot, slits[slot], state)
            energies = stage.prepare()
            states = stage.state.get()[..., : simulation.system.ion_count]
        finally:
            stage.free()
        simulation.begin(states, energies)
        self._place(simulation, states, np.zeros(replicas, np.uint64))

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
        profiles = self.batch.profiles.get()
        for simulation in simulations:
            slots = self.slots[simulation]
            try:
                simulation.take_tally(profiles[slots], energies[slots], self._kinetic(simulation))
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
            self.batch.profiles.set_row(slot, np.array(0))

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
