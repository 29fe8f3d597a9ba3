"""What a prediction is worth, measured on simulations that were held out of the training.

A network deviates most from a simulation in the steep rise of the density at the wall. So the
deviation is collected by the distance from the contact plane |z| = h/2 − d/2, in units of the mean
density, apart for each ion and each pair of valencies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backend.profiles import SPECIES
from backend.system import SlitSystem
from nanoconf.surrogate.domain import mean_density

SPACING = 0.02
"""Spacing (nm) of the distances at which the deviation is kept."""

MEANING = (
    "root-mean-square deviation of the prediction from held-out simulations (their statistical "
    "error included) divided by the mean density, at each distance (nm) of a bin's centre from the "
    "contact plane |z| = h/2 - d/2, counted towards the middle; by ion and valencies"
)


def valency_key(system: SlitSystem) -> str:
    """The pair of valencies as in ``3:-1``."""
    return "{}:{}".format(*system.valencies)


def wall_distance(system: SlitSystem, species: str, z: np.ndarray) -> np.ndarray:
    """Distance (nm) from the contact plane towards the middle; negative behind it."""
    return system.contact_planes[SPECIES.index(species)] - np.abs(z)


def measured_error(
    systems: Sequence[SlitSystem],
    z: Sequence[np.ndarray],
    deviations: Mapping[str, Sequence[np.ndarray]],
) -> dict[str, Any]:
    """Root-mean-square deviation as a function of the distance from the contact plane.

    Parameters
    ----------
    systems : sequence of SlitSystem
        Held-out systems.
    z : sequence of ndarray, each of shape (bins,)
        Bin centres (nm) of each system.
    deviations : mapping of str to sequence of ndarray, each of shape (bins,)
        Prediction minus simulation (M), by species, for each system.

    Returns
    -------
    dict
        JSON values for the card; `expected_error` reads them.
    """
    keys = sorted({valency_key(system) for system in systems})
    reach = max(max(system.contact_planes) for system in systems)
    distances = np.arange(-10, int(np.ceil(reach / SPACING)) + 1) * SPACING
    table: dict[str, Any] = {"meaning": MEANING, "distance_nm": distances.round(3).tolist()}
    for species in SPECIES:
        table[species] = {
            key: _root_mean_square(
                distances,
                [
                    (
                        wall_distance(system, species, z[row]),
                        deviations[species][row] / mean_density(system, species),
                    )
                    for row, system in enumerate(systems)
                    if valency_key(system) == key
                ],
            )
            for key in keys
        }
    return table


def expected_error(
    table: dict[str, Any], system: SlitSystem, species: str, z: np.ndarray
) -> np.ndarray:
    """The error (M) that `measured_error` lets expect at z (nm)."""
    distance = wall_distance(system, species, z)
    relative = np.interp(distance, table["distance_nm"], table[species][valency_key(system)])
    return relative * mean_density(system, species)


def _root_mean_square(
    distances: np.ndarray, pairs: list[tuple[np.ndarray, np.ndarray]]
) -> list[float]:
    """Root-mean-square of values in cells around each distance; empty cells are interpolated."""
    distance = np.concatenate([pair[0] for pair in pairs])
    square = np.concatenate([pair[1] for pair in pairs]) ** 2
    cell = np.rint((distance - distances[0]) / SPACING).astype(int)
    inside = (cell >= 0) & (cell < len(distances))
    cell, square = cell[inside], square[inside]
    count = np.bincount(cell, minlength=len(distances))
    total = np.bincount(cell, square, minlength=len(distances))
    filled = count > 0
    mean = np.interp(distances, distances[filled], total[filled] / count[filled])
    return np.sqrt(mean).round(6).tolist()
