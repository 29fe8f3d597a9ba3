"""Forces between ions and from the walls: the compiled inner loops.

Lengths are nm and energies k_BT. Ions are sorted by species: positive ions first, then negative.

The Coulomb loop visits each pair once and updates both ions. LLVM turns that into SIMD code only
if it can prove that the arrays do not overlap; so everything lies in ONE flat array at offsets that
are constants at compile time, and the indices are unsigned.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from backend.md.compiled import EXACT, FAST
from backend.md.electrostatics import HARMONICS, fit_correction
from backend.md.walls import wall_geometry
from backend.system import MAXIMUM_IONS, SlitSystem

# 640 bytes over a power of two: equal low address bits would make loads wait for unrelated stores
STRIDE = MAXIMUM_IONS + 160
X, Y, Z, CHARGE, FORCE_X, FORCE_Y, FORCE_Z = (np.uint64(i * STRIDE) for i in range(7))
ZERO, ONE = np.uint64(0), np.uint64(1)

WCA_RANGE = 2 ** (1 / 6)
"""Cut-off of the WCA potential in units of σ."""


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
    correction : ndarray
        Coefficients of the image correction in the order in which `coulomb_loop` reads them; their
        type is the precision of the pair forces.
    """

    positive_count: int
    box_length: float
    coulomb_scale: float
    valency: np.ndarray
    pair_size: np.ndarray
    wall_size: np.ndarray
    wall_position: np.ndarray
    correction: np.ndarray


def force_field(
    system: SlitSystem, precision: str = "single", *, coulomb: bool = True, wca: bool = True
) -> ForceField:
    """The constants of a system; `coulomb` and `wca` switch the ion-ion interactions off."""
    positive, negative = system.counts
    length = system.box_length
    d_positive, d_negative = system.diameters
    mean = (d_positive + d_negative) / 2
    size = np.array([[d_positive, mean], [mean, d_negative]])
    coefficients, _ = fit_correction(system.confinement_length / length)
    dtype = np.float32 if precision == "single" else np.float64
    return ForceField(
        positive_count=positive,
        box_length=length,
        coulomb_scale=system.bjerrum_length / length**2 if coulomb else 0.0,
        valency=np.repeat(np.array(system.valencies, dtype=float), (positive, negative)),
        pair_size=size if wca else np.zeros((2, 2)),
        wall_size=wall_geometry(system)[0],
        wall_position=wall_geometry(system)[1],
        correction=_factors(np.array(coefficients)).astype(dtype),
    )


def _factors(c: np.ndarray) -> np.ndarray:
    """Constants of the correction's force, multiplied out (see `harmonic_force`)."""
    c20, c40, c44, c60, c64 = c
    by_u = [2 * c20, 48 * c40, -12 * c40, 240 * c60, -360 * c60, 30 * c60, 2 * c64]
    by_v = [-4 * c44, -40 * c64, 4 * c64, 3.0, 8.0]
    by_w = [-4 * c20, -32 * c40, 48 * c40, -96 * c60, 480 * c60, -180 * c60, -20 * c64]
    return np.array([*by_u, *by_v, *by_w, 1.0])


def coulomb_buffer(field: ForceField) -> np.ndarray:
    """The flat array of `coulomb_loop`, charges filled in."""
    buffer = np.zeros(7 * STRIDE, dtype=field.correction.dtype)
    start = int(CHARGE)
    buffer[start : start + len(field.valency)] = field.valency
    return buffer


@njit(**FAST)
def coulomb_loop(buffer, count, k):  # pragma: no cover - compiled
    """Reduced Coulomb forces of all pairs from the reduced positions in the buffer."""
    zero = k[0] - k[0]
    k0, k1, k2, k3, k4, k5, k6 = k[0], k[1], k[2], k[3], k[4], k[5], k[6]
    k7, k8, k9, three, eight = k[7], k[8], k[9], k[10], k[11]
    k12, k13, k14, k15, k16, k17, k18 = k[12], k[13], k[14], k[15], k[16], k[17], k[18]
    one = k[19]
    for i in range(ZERO, count):
        buffer[FORCE_X + i] = zero
        buffer[FORCE_Y + i] = zero
        buffer[FORCE_Z + i] = zero
    for i in range(ZERO, count):
        xi, yi, zi = buffer[X + i], buffer[Y + i], buffer[Z + i]
        charge = buffer[CHARGE + i]
        fx_sum, fy_sum, fz_sum = zero, zero, zero
        for j in range(i + ONE, count):
            x = xi - buffer[X + j]
            y = yi - buffer[Y + j]
            z = zi - buffer[Z + j]
            x -= np.rint(x)
            y -= np.rint(y)
            x2 = x * x
            y2 = y * y
            w = z * z
            u = x2 + y2
            inverse = one / np.sqrt(u + w)
            v = u * u - eight * (x2 * y2)
            by_v = k7 + k8 * w + k9 * u
            by_u = k0 + w * (k1 + k3 * w + k4 * u) + u * (k2 + k5 * u) + k6 * v
            by_w = k12 + w * (k13 + k15 * w + k16 * u) + u * (k14 + k17 * u) + k18 * v
            qq = charge * buffer[CHARGE + j]
            direct = inverse * inverse * inverse
            lateral = direct + by_u
            fx = qq * x * (lateral + by_v * (x2 - three * y2))
            fy = qq * y * (lateral + by_v * (y2 - three * x2))
            fz = qq * z * (direct + by_w)
            fx_sum += fx
            fy_sum += fy
            fz_sum += fz
            buffer[FORCE_X + j] -= fx
            buffer[FORCE_Y + j] -= fy
            buffer[FORCE_Z + j] -= fz
        buffer[FORCE_X + i] += fx_sum
        buffer[FORCE_Y + i] += fy_sum
        buffer[FORCE_Z + i] += fz_sum


@njit(**FAST)
def coulomb_forces(positions, field, buffer, forces):  # pragma: no cover - compiled
    """Coulomb forces (k_BT/nm) on all ions, written to `forces`, shape (3, ions)."""
    count = positions.shape[1]
    inverse = 1.0 / field.box_length
    for i in range(count):
        x = positions[0, i] * inverse
        y = positions[1, i] * inverse
        buffer[X + np.uint64(i)] = x - np.rint(x)
        buffer[Y + np.uint64(i)] = y - np.rint(y)
        buffer[Z + np.uint64(i)] = positions[2, i] * inverse
    coulomb_loop(buffer, np.uint64(count), field.correction)
    for i in range(count):
        forces[0, i] = field.coulomb_scale * buffer[FORCE_X + np.uint64(i)]
        forces[1, i] = field.coulomb_scale * buffer[FORCE_Y + np.uint64(i)]
        forces[2, i] = field.coulomb_scale * buffer[FORCE_Z + np.uint64(i)]


@njit(**FAST)
def wca_force_over_r(r2, size2):  # pragma: no cover - compiled
    """−U'(r)/r of the WCA potential, ε = k_BT; zero beyond 2^(1/6) σ."""
    s2 = size2 / r2
    s6 = s2 * s2 * s2
    return 24.0 * s6 * (2.0 * s6 - 1.0) / r2 if s6 > 0.5 else 0.0


@njit(**FAST)
def build_pairs(positions, field, skin, pairs):  # pragma: no cover - compiled
    """List pairs closer than the WCA range plus a skin (nm); returns how many there are.

    A count beyond the capacity of `pairs`, shape (capacity, 2), means that the list is incomplete.
    """
    count = positions.shape[1]
    length = field.box_length
    inverse = 1.0 / length
    reach2 = (WCA_RANGE * field.pair_size + skin) ** 2
    found = 0
    for i in range(count):
        xi, yi, zi = positions[0, i], positions[1, i], positions[2, i]
        species = int(i >= field.positive_count)
        for j in range(i + 1, count):
            z = zi - positions[2, j]
            x = xi - positions[0, j]
            y = yi - positions[1, j]
            x -= length * np.rint(x * inverse)
            y -= length * np.rint(y * inverse)
            if x * x + y * y + z * z < reach2[species, int(j >= field.positive_count)]:
                if found < pairs.shape[0]:
                    pairs[found, 0] = i
                    pairs[found, 1] = j
                found += 1
    return found


@njit(**FAST)
def short_range_forces(positions, field, pairs, pair_count, forces):  # pragma: no cover - compiled
    """WCA forces (k_BT/nm) of the listed pairs and of the walls, written to `forces`."""
    wall_forces(positions, field, forces)
    length = field.box_length
    inverse = 1.0 / length
    for k in range(pair_count):
        i, j = pairs[k, 0], pairs[k, 1]
        x = positions[0, i] - positions[0, j]
        y = positions[1, i] - positions[1, j]
        z = positions[2, i] - positions[2, j]
        x -= length * np.rint(x * inverse)
        y -= length * np.rint(y * inverse)
        r2 = x * x + y * y + z * z
        size = field.pair_size[int(i >= field.positive_count), int(j >= field.positive_count)]
        f = wca_force_over_r(r2, size * size)
        if f > 0.0:
            forces[0, i] += f * x
            forces[1, i] += f * y
            forces[2, i] += f * z
            forces[0, j] -= f * x
            forces[1, j] -= f * y
            forces[2, j] -= f * z


@njit(**FAST)
def wall_forces(positions, field, forces):  # pragma: no cover - compiled
    """Forces (k_BT/nm) of both walls, written to `forces`; the x and y parts are zero."""
    for i in range(positions.shape[1]):
        species = int(i >= field.positive_count)
        size2 = field.wall_size[species] ** 2
        z = positions[2, i]
        left = z + field.wall_position[species]
        right = z - field.wall_position[species]
        forces[0, i] = 0.0
        forces[1, i] = 0.0
        forces[2, i] = left * wca_force_over_r(left * left, size2) + right * wca_force_over_r(
            right * right, size2
        )


@njit(**EXACT)
def wca_energy(r2, size2):  # pragma: no cover - compiled
    """WCA energy (k_BT)."""
    s6 = (size2 / r2) ** 3
    return 4.0 * (s6 * s6 - s6) + 1.0 if s6 > 0.5 else 0.0


@njit(**EXACT)
def potential_energy(positions, field, harmonics):  # pragma: no cover - compiled
    """Potential energy (k_BT) of all pairs and walls, in double precision.

    Parameters
    ----------
    positions : ndarray, shape (3, ions)
        nm.
    field : ForceField
    harmonics : ndarray, shape (HARMONICS,)
        Coefficients of `fit_correction`. The constant self-energy of the images is left out.
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
            x = positions[0, i] - positions[0, j]
            y = positions[1, i] - positions[1, j]
            z = (positions[2, i] - positions[2, j]) / length
            x = x / length - np.rint(x / length)
            y = y / length - np.rint(y / length)
            u, w = x * x + y * y, z * z
            v = u * u - 8.0 * (x * y) ** 2
            size = field.pair_size[species, int(j >= field.positive_count)]
            energy += wca_energy((u + w) * length**2, size**2)
            images = harmonics[0] * (2.0 * w - u)
            images += harmonics[1] * (8.0 * w * w - 24.0 * w * u + 3.0 * u * u)
            images += harmonics[2] * v
            images += harmonics[3] * (
                16.0 * w**3 - 120.0 * w * w * u + 90.0 * w * u * u - 5.0 * u**3
            )
            images += harmonics[4] * (10.0 * w - u) * v
            charge = field.valency[i] * field.valency[j]
            energy += field.coulomb_scale * length * charge * (1.0 / np.sqrt(u + w) + images)
    return energy


assert HARMONICS == 5, "coulomb_loop and potential_energy spell out five harmonics"
