"""Soft walls: WCA repulsion of each ion from both walls, in units of k_BT and nm."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from backend.profiles.bins import bin_centres
from backend.system import SPECIES, SlitSystem

WCA_RANGE = 2 ** (1 / 6)
"""Cut-off of the WCA potential in units of σ."""

POINTS_PER_BIN = 20
"""Number of points of a bin over which `binned_boltzmann_factor` averages."""


def wall_geometry(system: SlitSystem) -> tuple[np.ndarray, np.ndarray]:
    """Return the WCA size and the |z| of the repelling plane for each species.

    Returns
    -------
    size : ndarray, shape (2,)
        σ of the ion-wall interaction (nm); positive ions first.
    position : ndarray, shape (2,)
        |z| (nm) of the plane from which distances are measured. For ``wall="ion"`` it lies behind
        the wall, at the centre of a dummy ion of the same diameter that touches the wall; for
        ``wall="plane"`` it is the wall itself.
    """
    diameters = np.array(system.diameters)
    half = system.confinement_length / 2
    if system.wall == "ion":
        return diameters, half + diameters / 2
    return diameters / 2, np.full(2, half)


def wall_energy(system: SlitSystem, species: str, z: np.ndarray) -> np.ndarray:
    """Energy (k_BT) of an ion at z (nm) due to both walls; infinite behind them."""
    index = SPECIES.index(species)
    size, position = (values[index] for values in wall_geometry(system))
    z = np.asarray(z, dtype=float)
    return _wca(size, position - z) + _wca(size, position + z)


def boltzmann_factor(system: SlitSystem, species: str, z: np.ndarray) -> np.ndarray:
    """exp(−βU_wall) at z (nm): the relative density of ions that interact with the walls only."""
    return np.exp(-wall_energy(system, species, z))


@lru_cache(maxsize=16)  # needed for each block of a run
def binned_boltzmann_factor(system: SlitSystem, species: str, bins: int) -> np.ndarray:
    """Average of exp(−βU_wall) over each bin, shape (bins,); read-only."""
    points = bin_centres(system, bins * POINTS_PER_BIN)
    factor = boltzmann_factor(system, species, points).reshape(bins, POINTS_PER_BIN).mean(axis=1)
    factor.setflags(write=False)
    return factor


def _wca(size: float, distance: np.ndarray) -> np.ndarray:
    inside = distance > 0
    s6 = (size / np.where(inside, distance, size)) ** 6
    energy = np.where(s6 > 0.5, 4 * (s6 * s6 - s6) + 1, 0.0)
    return np.where(inside, energy, np.inf)
