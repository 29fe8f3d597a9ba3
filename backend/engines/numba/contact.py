"""Contact forces: the WCA repulsion between ions and from the walls.

Lengths are in nm, energies in k_BT. Ions are sorted by species: positive ions first, then negative.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from backend.engines.numba.compiled import FAST
from backend.walls import WCA_RANGE


@njit(**FAST)
def wca_force_over_r(r2, size2):  # pragma: no cover - compiled
    """Return −U'(r)/r of the WCA potential with ε = k_BT; zero beyond 2^(1/6) σ."""
    s2 = size2 / r2
    s6 = s2 * s2 * s2
    return 24.0 * s6 * (2.0 * s6 - 1.0) / r2 if s6 > 0.5 else 0.0


@njit(**FAST)
def build_pairs(positions, field, skin, pairs):  # pragma: no cover - compiled
    """List the pairs closer than the WCA range plus a skin (nm); return their number.

    Ions are sorted into square columns between the walls, at least as wide as the largest reach.
    If the number exceeds the capacity of `pairs`, shape (capacity, 2), the list is incomplete.
    """
    count = positions.shape[1]
    length = field.box_length
    reach = WCA_RANGE * field.pair_size + skin
    side = int(length / reach.max())
    around = 1
    if side < 3:  # the neighbours on both sides would be the same column
        side, around = 1, 0
    column, newest, previous = fill_columns(positions, length, side)
    inverse = 1.0 / length
    found = 0
    for i in range(count):
        species = int(i >= field.positive_count)
        row, place = divmod(column[i], side)
        for u in range(row - around, row + around + 1):
            for v in range(place - around, place + around + 1):
                j = newest[wrapped(u, side) * side + wrapped(v, side)]
                while j > i:  # ions of a column are linked in descending order
                    limit = reach[species, int(j >= field.positive_count)]
                    if distance2(positions, i, j, length, inverse) < limit * limit:
                        if found < pairs.shape[0]:
                            pairs[found, 0] = i
                            pairs[found, 1] = j
                        found += 1
                    j = previous[j]
    return found


@njit(**FAST)
def wrapped(u, side):  # pragma: no cover - compiled
    """Return the column in the box of which column u, at most one outside, is an image."""
    return u + side if u < 0 else u - side if u >= side else u


@njit(**FAST)
def fill_columns(positions, length, side):  # pragma: no cover - compiled
    """Sort ions into side × side columns.

    Returns
    -------
    column : ndarray, shape (ions,)
        Column index of each ion.
    newest : ndarray, shape (side²,)
        Highest ion index in each column, or −1.
    previous : ndarray, shape (ions,)
        Next lower ion index in the same column, or −1.
    """
    count = positions.shape[1]
    column = np.empty(count, np.int64)
    newest = np.full(side * side, -1)
    previous = np.empty(count, np.int64)
    inverse = 1.0 / length
    for i in range(count):
        x, y = positions[0, i] * inverse, positions[1, i] * inverse
        # a position that is NaN needs a valid column too, until `inspect` detects it
        row = max(0, min(int(side * (x - np.floor(x))), side - 1))
        place = max(0, min(int(side * (y - np.floor(y))), side - 1))
        column[i] = row * side + place
        previous[i] = newest[column[i]]
        newest[column[i]] = i
    return column, newest, previous


@njit(**FAST)
def distance2(positions, i, j, length, inverse):  # pragma: no cover - compiled
    """Return the squared distance (nm²) of nearest images of two ions; `inverse` is 1/length."""
    x = positions[0, i] - positions[0, j]
    y = positions[1, i] - positions[1, j]
    z = positions[2, i] - positions[2, j]
    x -= length * np.rint(x * inverse)
    y -= length * np.rint(y * inverse)
    return x * x + y * y + z * z


@njit(**FAST)
def contact_forces(positions, field, pairs, pair_count, forces):  # pragma: no cover - compiled
    """Write the WCA forces (k_BT/nm) of the listed pairs and of the walls to `forces`."""
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
        if r2 < WCA_RANGE * WCA_RANGE * size * size:
            f = wca_force_over_r(r2, size * size)
            forces[0, i] += f * x
            forces[1, i] += f * y
            forces[2, i] += f * z
            forces[0, j] -= f * x
            forces[1, j] -= f * y
            forces[2, j] -= f * z


@njit(**FAST)
def wall_forces(positions, field, forces):  # pragma: no cover - compiled
    """Write the forces (k_BT/nm) of both walls to `forces`; x and y components are zero."""
    free = field.wall_position - WCA_RANGE * field.wall_size
    for i in range(positions.shape[1]):
        species = int(i >= field.positive_count)
        forces[0, i] = 0.0
        forces[1, i] = 0.0
        forces[2, i] = 0.0
        if abs(positions[2, i]) > free[species]:
            left, right = wall_forces_at(positions[2, i], species, field)
            forces[2, i] = left + right


@njit(**FAST)
def wall_forces_at(z, species, field):  # pragma: no cover - compiled
    """Return the z forces (k_BT/nm) of the left and of the right wall on an ion."""
    size2 = field.wall_size[species] ** 2
    left = z + field.wall_position[species]
    right = z - field.wall_position[species]
    return (
        left * wca_force_over_r(left * left, size2),
        right * wca_force_over_r(right * right, size2),
    )
