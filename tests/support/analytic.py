"""Small datasets of profiles from formulas, as if they had been simulated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from backend.profiles.bins import BINS, HALF
from backend.system import SPECIES, SlitSystem
from backend.walls import binned_boltzmann_factor
from nanoconf.data import dataset
from nanoconf.surrogate.domain import mean_density
from nanoconf.surrogate.simulations import Simulations

Shape = Callable[[SlitSystem, str, np.ndarray], np.ndarray]
"""y (in any unit) at |z|/(h/2 − d/2) of a system's ion."""


def layers(system: SlitSystem, species: str, place: np.ndarray) -> np.ndarray:
    """Some layers, which grow with c and d and differ between the ions."""
    strength = system.salt_concentration * system.positive_diameter
    if species == "positive":
        strength -= 0.1 * system.positive_valency
    return 1 + strength * np.exp(-4 * (1 - place)) * np.cos(9 * (1 - place))


def half_profile(
    system: SlitSystem, species: str, shape: Shape = layers, normed: bool = True
) -> np.ndarray:
    """A profile (M) with the right wall, shape (150,), from the wall to the middle.

    Its mean is the right one, unless it is not to be normed: then it is y times the mean density.
    """
    place = (1 - (2 * np.arange(HALF) + 1) / BINS) * system.confinement_length / 2
    place /= system.contact_planes[SPECIES.index(species)]
    factor = binned_boltzmann_factor(system, species, BINS)[:HALF]
    density = shape(system, species, place) * factor
    return density * mean_density(system, species) / (density.mean() if normed else 1)


def simulations(
    folder: Path,
    systems: Sequence[SlitSystem],
    shape: Shape = layers,
    error: float = 0.01,
    noise: float = 1.0,
    normed: bool = True,
) -> Simulations:
    """Save a dataset and load it.

    Parameters
    ----------
    folder : Path
        Its folder.
    systems : sequence of SlitSystem
        What was simulated.
    shape : callable
        Formula of y.
    error : float
        Relative standard error.
    noise : float
        Deviation from the formula in standard errors, one random number a profile.
    normed : bool
        As for `half_profile`.
    """
    random = np.random.default_rng(5)
    rows = []
    for number, system in enumerate(systems):
        for species in SPECIES:
            exact = half_profile(system, species, shape, normed)
            rows.append(
                dict.fromkeys(dataset.columns())
                | system.to_dict()
                | dict.fromkeys(("engine", "version", "inputs_hash"), "")
                | {
                    "system": number,
                    "species": species,
                    "seed": number,
                    "converged": True,
                    "density": exact * (1 + noise * error * random.normal()),
                    "error": error * exact,
                }
            )
    dataset.save(folder, rows, {})
    return Simulations.load(folder)
