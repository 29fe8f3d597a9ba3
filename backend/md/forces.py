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
            pair_energy = short_energy(x * x + y * y + z * z, field.exact)
            energy += field.coulomb_scale * length * charge * pair_energy
    waves = wave_energy(positions / length, field.valency, field.exact)
    return energy + field.coulomb_scale * length * waves


@njit(**EXACT)
def wca_energy(r2, size2):  # pragma: no cover - compiled
    """WCA energy (k_BT)."""
    s6 = (size2 / r2) ** 3
    return 4.0 * (s6 * s6 - s6) + 1.0 if s6 > 0.5 else 0.0


@njit(**EXACT)
def short_energy(r2, c):  # pragma: no cover - compiled
    """Reduced energy of two unit charges whose force is the short-ranged one."""
    if r2 >= c.short_range2:
        return 0.0
    energy = 1.0 / np.sqrt(r2) - 1.0 / np.sqrt(c.short_range2)
    power, end = r2, c.short_range2
    for p in range(len(c.short)):
        energy += c.short[p] * (power - end) / (2 * p + 2)
        power *= r2
        end *= c.short_range2
    return energy


@njit(**EXACT)
def wave_energy(reduced, valency, c):  # pragma: no cover - compiled
    """Reduced energy of all pairs due to the plane waves.

    A product of three cosines of differences is the mean, over the signs, of plane waves; the sum
    of one over all pairs is half the square of its sum over all ions, less what every ion adds
    with itself.
    """
    energy = 0.0
    itself = np.sum(valency * valency)
    for a in range(c.waves.shape[0]):
        for b in range(c.waves.shape[1]):
            for m in range(c.waves.shape[2]):
                squares = 0.0
                for sign_y, sign_z in ((1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)):
                    phase = 2 * np.pi * (a * reduced[0] + sign_y * b * reduced[1])
                    phase += sign_z * c.normal_numbers[m] * reduced[2]
                    squares += np.sum(valency * np.cos(phase)) ** 2
                    squares += np.sum(valency * np.sin(phase)) ** 2
                energy += 0.5 * c.waves[a, b, m] * (squares / 4 - itself)
    return energy
