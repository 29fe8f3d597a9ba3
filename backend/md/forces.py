"""The interactions of a system: their constants, and their energy.

The forces themselves are in `coulomb` and `contact`. Lengths are nm and energies k_BT. Ions are
sorted by species: positive ions first, then negative.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from backend.md.compiled import EXACT
from backend.md.coulomb import Coulomb
from backend.md.electrostatics import splitting
from backend.md.walls import wall_geometry
from backend.system import SlitSystem


class ForceField(NamedTuple):
    """Constants of the interactions, as the compiled loops want them.

    Attributes
    ----------
    positive_count : int
        Number of positive ions; ions from there on are negative.
    box_length : float
        L (nm).
    coulomb_scale : float
        l_B/L² (1/nm): what turns reduced pair forces into k_BT/nm.
    valency : ndarray, shape (ions,)
    pair_size : ndarray, shape (2, 2)
        WCA σ by species (nm).
    wall_size, wall_position : ndarray, shape (2,)
        WCA σ of each species with a wall and |z| of the plane it is counted from (nm).
    coulomb : Coulomb
        Constants of the Coulomb loops.
    exact : Coulomb
        The same in double precision, for energies.
    """

    positive_count: int
    box_length: float
    coulomb_scale: float
    valency: np.ndarray
    pair_size: np.ndarray
    wall_size: np.ndarray
    wall_position: np.ndarray
    coulomb: Coulomb
    exact: Coulomb


def force_field(
    system: SlitSystem,
    precision: str = "single",
    electrostatics: str = "periodic",
    *,
    coulomb: bool = True,
    wca: bool = True,
) -> ForceField:
    """The constants of a system; `coulomb` and `wca` switch the ion-ion interactions off."""
    length = system.box_length
    d_positive, d_negative = system.diameters
    mean = (d_positive + d_negative) / 2
    size = np.array([[d_positive, mean], [mean, d_negative]])
    split = splitting(system.confinement_length / length, electrostatics)
    wall_size, wall_position = wall_geometry(system)
    return ForceField(
        positive_count=system.counts[0],
        box_length=length,
        coulomb_scale=system.bjerrum_length / length**2 if coulomb else 0.0,
        valency=np.repeat(np.array(system.valencies, dtype=float), system.counts),
        pair_size=size if wca else np.zeros((2, 2)),
        wall_size=wall_size,
        wall_position=wall_position,
        coulomb=Coulomb.of(split, np.float32 if precision == "single" else np.float64),
        exact=Coulomb.of(split, np.float64),
    )


@njit(**EXACT)
def potential_energy(positions, field):  # pragma: no cover - compiled
    """Potential energy (k_BT) of all pairs and walls, in double precision.

    Parameters
    ----------
    positions : ndarray, shape (3, ions)
        nm.
    field : ForceField
    """
    count = positions.shape[1]
    length = field.box_length
    energy = 0.0
    for i in range(count):
        species = int(i >= field.positive_count)
        for side in (-1.0, 1.0):
            distance = positions[2, i] + side * field.wall_position[species]
            energy += wca_energy(distance**2, field.wall_size[species] ** 2)
        for j in range(i + 1, count):
            x = (positions[0, i] - positions[0, j]) / length
            y = (positions[1, i] - positions[1, j]) / length
            z = (positions[2, i] - positions[2, j]) / length
            x -= np.rint(x)
            y -= np.rint(y)
            size = field.pair_size[species, int(j >= field.positive_count)]
            energy += wca_energy((x * x + y * y + z * z) * length**2, size**2)
            charge = field.valency[i] * field.valency[j]
            energy += field.coulomb_scale * length * charge * coulomb_energy(x, y, z, field.exact)
    return energy


@njit(**EXACT)
def wca_energy(r2, size2):  # pragma: no cover - compiled
    """WCA energy (k_BT)."""
    s6 = (size2 / r2) ** 3
    return 4.0 * (s6 * s6 - s6) + 1.0 if s6 > 0.5 else 0.0


@njit(**EXACT)
def coulomb_energy(x, y, z, c):  # pragma: no cover - compiled
    """Reduced energy of two unit charges, as `Splitting.pair_energy` has it."""
    r2 = x * x + y * y + z * z
    energy = 0.0
    if r2 < c.short_range2:
        energy = short_energy(r2, c.short) - short_energy(c.short_range2, c.short)
    for a in range(c.waves.shape[0]):
        for b in range(c.waves.shape[1]):
            across = np.cos(2 * np.pi * a * x) * np.cos(2 * np.pi * b * y)
            for m in range(c.waves.shape[2]):
                energy += c.waves[a, b, m] * across * np.cos(c.normal_numbers[m] * z)
    return energy


@njit(**EXACT)
def short_energy(r2, short):  # pragma: no cover - compiled
    """Energy whose force over the distance is 1/r³ − Q(r²)."""
    energy, power = 1.0 / np.sqrt(r2), r2
    for p in range(len(short)):
        energy += short[p] * power / (2 * p + 2)
        power *= r2
    return energy
