"""Threads that fit the splitting of the Coulomb forces in advance."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from backend.electrostatics import Splitting, splitting
from backend.engines.cuda.simulation import Simulation

Key = tuple[float, str]


class Fits:
    """Splittings that simulations need, in their order; `splitting` keeps those that are done.

    Parameters
    ----------
    simulations : iterable of Simulation
    threads : int
    """

    def __init__(self, simulations: Iterable[Simulation], threads: int):
        self._pool = ThreadPoolExecutor(max(1, threads))
        keys = dict.fromkeys(_key(simulation) for simulation in simulations)
        self._fits: dict[Key, Future[Splitting]] = {
            key: self._pool.submit(splitting, *key) for key in keys
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def ready(self, simulation: Simulation) -> bool:
        """Return True if the fit of a simulation is done."""
        return self._fits[_key(simulation)].done()

    def wait_for(self, simulation: Simulation) -> None:
        """Wait for the fit of a simulation."""
        self._fits[_key(simulation)].result()


def _key(simulation: Simulation) -> Key:
    system = simulation.system
    ratio = system.confinement_length / system.box_length
    return ratio, simulation.settings.electrostatics
