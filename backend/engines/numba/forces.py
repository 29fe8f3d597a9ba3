"""Interactions of a system: their constants and their energy.

The forces are computed in `coulomb` and `contact`. Lengths are in nm, energies in k_BT. Ions are
sorted by species: positive ions first, then negative.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from backend.electrostatics import splitting
from backend.engines.numba.compiled import FAST
from backend.engines.numba.coulomb import Coulomb
from backend.system import SlitSystem
from backend.walls import WCA_RANGE, wall_geometry


class ForceField(NamedTuple):
    """Constants of the interactions, in the form that the compiled loops use.

    Attributes
    ----------
    positive_count : int
        Number of positive ions, which is the index of the first negative ion.
    box_length : float
        Side L of the box (nm).
    coulomb_scale : float
        Factor l_B/L² (1/nm) that converts reduced pair forces to k_BT/nm.
    valency : ndarray, shape (ions,)
        Valency of each ion (e).
    pair_size : ndarray, shape (2, 2)
        WCA σ by species (nm).
    wall_size, wall_position : ndarray, shape (2,)
        WCA σ of each species with a wall, and |z| of the plane from which it is measured (nm).
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
    """Return the constants of a system; `coulomb` and `wca` enable the ion-ion interactions."""
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


def constant_energy(system: SlitSystem, electrostatics: str) -> float:
    """Return the energy of the ions with all images minus `potential_energy` (k_BT)."""
    split = splitting(system.confinement_length / system.box_length, electrostatics)
    squares = np.dot(system.counts, np.square(system.valencies))
    return float(system.bjerrum_length / system.box_length * split.constant * squares)


@njit(**FAST)
def potential_energy(positions, field):  # pragma: no cover - compiled
    """Return the potential energy (k_BT) of all pairs and walls, in double precision.

    Parameters
    ----------
    positions : ndarray, shape (3, ions)
        Positions (nm).
    field : ForceField
    """
    reduced = positions / field.box_length
    coulomb = pair_energy(reduced, field.valency, field.exact)
    coulomb += wave_energy(reduced, field.valency, field.exact)
    contact = contact_energy(reduced, field)
    return contact + field.coulomb_scale * field.box_length * coulomb


@njit(**FAST)
def contact_energy(reduced, field):  # pragma: no cover - compiled
    """Return the WCA energy (k_BT) of all pairs and of all ions with the walls."""
    energy = 0.0
    for i in range(reduced.shape[1]):
        species = int(i >= field.positive_count)
        for side in (-1.0, 1.0):
            distance = field.box_length * reduced[2, i] + side * field.wall_position[species]
            energy += wca_energy(distance**2, field.wall_size[species] ** 2)
        for j in range(i + 1, reduced.shape[1]):
            size = field.pair_size[species, int(j >= field.positive_count)] / field.box_length
            energy += wca_energy(reduced_distance2(reduced, i, j), size * size)
    return energy


@njit(**FAST)
def wca_energy(r2, size2):  # pragma: no cover - compiled
    """Return the WCA energy (k_BT)."""
    if r2 >= WCA_RANGE**2 * size2:
        return 0.0
    s6 = (size2 / r2) ** 3
    return 4.0 * (s6 * s6 - s6) + 1.0


@njit(**FAST)
def reduced_distance2(reduced, i, j):  # pragma: no cover - compiled
    """Return the squared nearest-image distance of two ions, in units of the box side."""
    x = reduced[0, i] - reduced[0, j]
    y = reduced[1, i] - reduced[1, j]
    z = reduced[2, i] - reduced[2, j]
    x -= np.rint(x)
    y -= np.rint(y)
    return x * x + y * y + z * z


@njit(**FAST)
def pair_energy(reduced, valency, c):  # pragma: no cover - compiled
    """Return the reduced energy of all pairs due to the short-ranged force."""
    end = short_antiderivative(c.short_range2, c.short)
    energy = 0.0
    for i in range(reduced.shape[1]):
        for j in range(i + 1, reduced.shape[1]):
            r2 = min(reduced_distance2(reduced, i, j), c.short_range2)
            energy += valency[i] * valency[j] * (short_antiderivative(r2, c.short) - end)
    return energy


@njit(**FAST)
def short_antiderivative(r2, s):  # pragma: no cover - compiled
    """Return the antiderivative of −(1/r³ − Q(r²)) r."""
    high = s[2] / 6 + r2 * (s[3] / 8 + r2 * s[4] / 10)
    return 1.0 / np.sqrt(r2) + r2 * (s[0] / 2 + r2 * (s[1] / 4 + r2 * high))


@njit(**FAST)
def wave_energy(reduced, valency, c):  # pragma: no cover - compiled
    """Return the reduced energy of all pairs due to the plane waves.

    A product of three cosines of differences is the mean of plane waves over the signs of the wave
    numbers. The sum of a plane wave over all pairs is half the squared modulus of its sum over all
    ions, minus the self terms.
    """
    x = phases(reduced[0], c.waves.shape[0])
    y = phases(reduced[1], c.waves.shape[1])
    z = phases(reduced[2] * c.inverse_height, c.waves.shape[2])
    itself = np.sum(valency * valency)
    energy = 0.0
    for a in range(c.waves.shape[0]):
        for b in range(c.waves.shape[1]):
            for m in range(c.waves.shape[2]):
                if c.waves[a, b, m] != 0.0:
                    squares = sum_squares(valency, x[a], y[b], z[m])
                    energy += 0.5 * c.waves[a, b, m] * (squares - itself)
    return energy


@njit(**FAST)
def phases(t, count):  # pragma: no cover - compiled
    """Return the phases exp(2πint) for n < count, shape (count, ions)."""
    values = np.ones((count, len(t)), np.complex128)
    for n in range(1, count):
        for i in range(len(t)):
            turn = 2 * np.pi * n * t[i]
            values[n, i] = complex(np.cos(turn), np.sin(turn))
    return values


@njit(**FAST)
def sum_squares(valency, x, y, z):  # pragma: no cover - compiled
    """Return the mean squared modulus of the structure factor over signs of the wave numbers."""
    total = 0.0
    for y_or_mirror in (y, np.conj(y)):
        plus, minus = 0j, 0j
        for i in range(len(valency)):
            across = valency[i] * x[i] * y_or_mirror[i]
            plus += across * z[i]
            minus += across * np.conj(z[i])
        total += plus.real**2 + plus.imag**2 + minus.real**2 + minus.imag**2
    return total / 4
