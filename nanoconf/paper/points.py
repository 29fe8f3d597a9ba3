"""Contact, midplane and peak densities of profiles, the targets of the paper's regressors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backend.profiles.density import contact_density, mid_density
from backend.system import SlitSystem
from nanoconf.surrogate.simulations import Simulations

POINTS = ("contact", "mid", "peak")
"""Order of the densities in every array that contains all three."""


@dataclass(frozen=True)
class PointDensities:
    """Contact, midplane and peak densities of many profiles.

    Attributes
    ----------
    density, error : ndarray, shape (simulations, 3)
        Contact, midplane and peak densities and their standard errors (M).
    """

    density: np.ndarray
    error: np.ndarray


def point_densities(data: Simulations, species: str = "positive") -> PointDensities:
    """Compute contact, midplane and peak densities of simulations, with their standard errors.

    The contact density is interpolated in y = ρ exp(βU_wall) at |z| = h/2 − d/2. The errors of the
    bins are interpolated in the same way: neighbouring errors are almost fully correlated, so they
    do not average out. The error of the peak density is that of the highest bin.
    """
    profiles = zip(data.systems, data.density[species], data.error[species], strict=True)
    points = np.array([_of_profile(system, species, *half) for system, *half in profiles])
    return PointDensities(points[:, 0], points[:, 1])


def _of_profile(
    system: SlitSystem, species: str, density: np.ndarray, error: np.ndarray
) -> list[list[float]]:
    """Densities and errors of a profile from wall to midplane, shape (2, 3)."""
    highest = int(density.argmax())
    return [
        [contact_density(system, species, whole), mid_density(whole), float(whole[highest])]
        for whole in (np.append(half, half[::-1]) for half in (density, error))
    ]
