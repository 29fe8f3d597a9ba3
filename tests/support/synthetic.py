"""A small dataset from a formula, with noise: enough to train a small surrogate."""

from __future__ import annotations

import numpy as np

from backend.profiles.bins import HALF, bin_centres
from backend.system import SPECIES, SlitSystem
from backend.walls import boltzmann_factor
from nanoconf.data import dataset
from nanoconf.surrogate.domain import mean_density

RELATIVE_ERROR = 0.01

EPOCHS = 150
"""Length of a training on such data."""


def profile(system: SlitSystem, species: str) -> np.ndarray:
    """A profile (M) with the right wall, mean and symmetry, and some layers; left half."""
    z = bin_centres(system)
    depth = system.contact_planes[0] - np.abs(z)
    layers = 1 + 0.3 * np.exp(-3 * depth) * np.cos(9 * depth)
    if species == "positive":
        layers -= 0.1 * (system.positive_valency - 1) * np.exp(-5 * np.abs(depth))
    density = layers * boltzmann_factor(system, species, z)
    return (density * mean_density(system, species) / density.mean())[:HALF]


def synthetic_rows(count: int, repeats: int = 0) -> list[dict]:
    """Rows of a data set of random systems; the first few are there twice."""
    random = np.random.default_rng(7)
    rows = []
    for number in range(count):
        h, c, d = random.uniform((3.0, 0.3, 0.5), (4.0, 0.9, 0.75))
        system = SlitSystem(h, 1 + number % 3, -1, c, d)
        for seed in range(2 if number < repeats else 1):
            for species in SPECIES:
                density = profile(system, species)
                error = np.full(HALF, RELATIVE_ERROR * mean_density(system, species))
                rows.append(
                    dict.fromkeys(dataset.columns())
                    | system.to_dict()
                    | {
                        "system": number,
                        "species": species,
                        "seed": seed,
                        "converged": True,
                        "density": density + error * random.normal(size=HALF) * (density > 0.01),
                        "error": error,
                        **dict.fromkeys(("engine", "version", "inputs_hash"), ""),
                    }
                )
    return rows


def random_systems(count: int) -> list[SlitSystem]:
    random = np.random.default_rng(11)
    return [
        SlitSystem(h, int(zp), -1, c, d)
        for h, zp, c, d in random.uniform((3.0, 1, 0.3, 0.5), (4.0, 3.99, 0.9, 0.75), (count, 4))
    ]
