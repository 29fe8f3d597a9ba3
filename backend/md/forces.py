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
from backend.md.electrostatics import fit_correction, gradient_polynomials
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
    images : tuple of floats
        Coefficients of the image correction's force, as `image_loop` reads them.
    zero : float
        In the precision of the pair forces.
    """

    positive_count: int
    box_length: float
    coulomb_scale: float
    valency: np.ndarray
    pair_size: np.ndarray
    wall_size: np.ndarray
    wall_position: np.ndarray
    images: tuple
    zero: np.floating


def force_field(
    system: SlitSystem, precision: str = "single", *, coulomb: bool = True, wca: bool = True
) -> ForceField:
    """The constants of a system; `coulomb` and `wca` switch the ion-ion interactions off."""
    positive, negative = system.counts
    length = system.box_length
    d_positive, d_negative = system.diameters
    mean = (d_positive + d_negative) / 2
    size = np.array([[d_positive, mean], [mean, d_negative]])
    correction = fit_correction(system.confinement_length / length)
    dtype = np.float32 if precision == "single" else np.float64
    return ForceField(
        positive_count=positive,
        box_length=length,
        coulomb_scale=system.bjerrum_length / length**2 if coulomb else 0.0,
        valency=np.repeat(np.array(system.valencies, dtype=float), (positive, negative)),
        pair_size=size if wca else np.zeros((2, 2)),
        wall_size=wall_geometry(system)[0],
        wall_position=wall_geometry(system)[1],
        images=tuple(dtype(factor) for factor in _image_factors(correction.polynomial)),
        zero=dtype(0),
    )


def _image_factors(polynomial: np.ndarray) -> list[float]:
    """Coefficients of the correction's force in the order of `image_loop`."""
    by_u, by_w, by_v = gradient_polynomials(polynomial)
    return [
        *_triangle(-2 * by_u, 4, 0),
        *_triangle(-2 * by_u, 2, 1),
        *_triangle(-2 * by_u, 0, 2),
        *_triangle(-2 * by_w, 4, 0),
        *_triangle(-2 * by_w, 2, 1),
        *_triangle(-2 * by_w, 0, 2),
        *_triangle(-4 * by_v, 3, 0),
        *_triangle(-4 * by_v, 1, 1),
    ]


def _triangle(polynomial: np.ndarray, degree: int, power: int) -> list[float]:
    """Coefficients of u^a w^b v^power with a + b ≤ degree, a running fastest."""
    return [
        float(polynomial[a, b, power]) for b in range(degree + 1) for a in range(degree + 1 - b)
    ]


def coulomb_buffer(field: ForceField) -> np.ndarray:
    """The flat array of the Coulomb loops, charges filled in."""
    buffer = np.zeros(7 * STRIDE, dtype=type(field.zero))
    start = int(CHARGE)
    buffer[start : start + len(field.valency)] = field.valency
    return buffer


@njit(**FAST)
def direct_loop(buffer, count, zero):  # pragma: no cover - compiled
    """Reduced Coulomb forces between nearest images, from the positions in the buffer."""
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
            r2 = x * x + y * y + z * z
            f = charge * buffer[CHARGE + j] / (r2 * np.sqrt(r2))
            fx = f * x
            fy = f * y
            fz = f * z
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
def image_loop(buffer, count, zero, c):  # pragma: no cover - compiled
    """Reduced Coulomb forces from all other images, from the positions in the buffer."""
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
            x2, y2, w = x * x, y * y, z * z
            u = x2 + y2
            across = x2 - y2
            v = across * across - (x + x) * (x + x) * y2
            by_u = quartic(u, w, c[0:15]) + v * (quadratic(u, w, c[15:21]) + v * c[21])
            by_w = quartic(u, w, c[22:37]) + v * (quadratic(u, w, c[37:43]) + v * c[43])
            by_v = cubic(u, w, c[44:54]) + v * (c[54] + u * c[55] + w * c[56])
            charges = charge * buffer[CHARGE + j]
            fx = charges * x * (by_u + (across - y2 - y2) * by_v)
            fy = charges * y * (by_u - (across + x2 + x2) * by_v)
            fz = charges * z * by_w
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
def quadratic(u, w, c):  # pragma: no cover - compiled
    """Polynomial of degree 2 in two variables, coefficients as `_triangle` lists them."""
    return c[0] + u * (c[1] + u * c[2]) + w * (c[3] + u * c[4] + w * c[5])


@njit(**FAST)
def cubic(u, w, c):  # pragma: no cover - compiled
    """Polynomial of degree 3."""
    return c[0] + u * (c[1] + u * (c[2] + u * c[3])) + w * quadratic(u, w, c[4:10])


@njit(**FAST)
def quartic(u, w, c):  # pragma: no cover - compiled
    """Polynomial of degree 4."""
    return c[0] + u * (c[1] + u * (c[2] + u * (c[3] + u * c[4]))) + w * cubic(u, w, c[5:15])


@njit(**FAST)
def fill_buffer(positions, field, buffer):  # pragma: no cover - compiled
    """Reduced positions into the buffer, zero into its forces."""
    inverse = 1.0 / field.box_length
    for k in range(positions.shape[1]):
        i = np.uint64(k)
        x = positions[0, k] * inverse
        y = positions[1, k] * inverse
        buffer[X + i] = x - np.rint(x)
        buffer[Y + i] = y - np.rint(y)
        buffer[Z + i] = positions[2, k] * inverse
        buffer[FORCE_X + i] = field.zero
        buffer[FORCE_Y + i] = field.zero
        buffer[FORCE_Z + i] = field.zero


@njit(**FAST)
def read_buffer(field, buffer, forces):  # pragma: no cover - compiled
    """Forces (k_BT/nm) from the reduced ones in the buffer."""
    for k in range(forces.shape[1]):
        i = np.uint64(k)
        forces[0, k] = field.coulomb_scale * buffer[FORCE_X + i]
        forces[1, k] = field.coulomb_scale * buffer[FORCE_Y + i]
        forces[2, k] = field.coulomb_scale * buffer[FORCE_Z + i]


@njit(**FAST)
def direct_forces(positions, field, buffer, forces):  # pragma: no cover - compiled
    """Coulomb forces (k_BT/nm) between nearest images, written to `forces`, shape (3, ions)."""
    fill_buffer(positions, field, buffer)
    direct_loop(buffer, np.uint64(positions.shape[1]), field.zero)
    read_buffer(field, buffer, forces)


@njit(**FAST)
def image_forces(positions, field, buffer, forces):  # pragma: no cover - compiled
    """Coulomb forces (k_BT/nm) from all other images, written to `forces`, shape (3, ions)."""
    fill_buffer(positions, field, buffer)
    image_loop(buffer, np.uint64(positions.shape[1]), field.zero, field.images)
    read_buffer(field, buffer, forces)


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
def contact_forces(positions, field, pairs, pair_count, forces):  # pragma: no cover - compiled
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
        left, right = wall_forces_at(positions[2, i], int(i >= field.positive_count), field)
        forces[0, i] = 0.0
        forces[1, i] = 0.0
        forces[2, i] = left + right


@njit(**FAST)
def wall_forces_at(z, species, field):  # pragma: no cover - compiled
    """Z forces (k_BT/nm) of the left and of the right wall on an ion."""
    size2 = field.wall_size[species] ** 2
    left = z + field.wall_position[species]
    right = z - field.wall_position[species]
    return (
        left * wca_force_over_r(left * left, size2),
        right * wca_force_over_r(right * right, size2),
    )


@njit(**EXACT)
def wca_energy(r2, size2):  # pragma: no cover - compiled
    """WCA energy (k_BT)."""
    s6 = (size2 / r2) ** 3
    return 4.0 * (s6 * s6 - s6) + 1.0 if s6 > 0.5 else 0.0


@njit(**EXACT)
def potential_energy(positions, field, polynomial):  # pragma: no cover - compiled
    """Potential energy (k_BT) of all pairs and walls, in double precision.

    Parameters
    ----------
    positions : ndarray, shape (3, ions)
        nm.
    field : ForceField
    polynomial : ndarray
        That of `fit_correction`. The constant self-energy of the images is left out.
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
            images = 0.0
            for k in range(polynomial.shape[2] - 1, -1, -1):
                in_w = 0.0
                for b in range(polynomial.shape[1] - 1, -1, -1):
                    in_u = 0.0
                    for a in range(polynomial.shape[0] - 1, -1, -1):
                        in_u = in_u * u + polynomial[a, b, k]
                    in_w = in_w * w + in_u
                images = images * v + in_w
            charge = field.valency[i] * field.valency[j]
            energy += field.coulomb_scale * length * charge * (1.0 / np.sqrt(u + w) + images)
    return energy
