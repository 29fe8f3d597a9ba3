"""Contact forces: the WCA repulsion of ions from each other and from the walls.

Lengths are nm and energies k_BT. Ions are sorted by species: positive ions first, then negative.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from backend.engines.numba.compiled import FAST
from backend.walls import WCA_RANGE


@njit(**FAST)
def wca_force_over_r(r2, size2):  # pragma: no cover - compiled
    """−U'(r)/r of the WCA potential, ε = k_BT; zero beyond 2^(1/6) σ."""
    s2 = size2 / r2
    s6 = s2 * s2 * s2
    return 24.0 * s6 * (2.0 * s6 - 1.0) / r2 if s6 > 0.5 else 0.0


@njit(**FAST)
def build_pairs(positions, field, skin, pairs):  # pragma: no cover - compiled
    """List pairs closer than the WCA range plus a skin (nm); returns how many there are.

    Ions are sorted into square columns between the walls, at least as wide as the longest reach.
    A count beyond the capacity of `pairs`, shape (capacity, 2), means that the list is incomplete.
    """
    count = positions.shape[1]
    length = field.box_length
    reach = WCA_RANGE * field.pair_size + skin
    side = int(length / reach.max())
    around = 1
    if side < 3:  # the columns on both sides of one would be the same
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
                while j > i:  # in every column, from the highest number down
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
    """The column in the box that column u, next to one in the box, is an image of."""
    return u + side if u < 0 else u - side if u >= side else u


@njit(**FAST)
def fill_columns(positions, length, side):  # pragma: no cover - compiled
    """Sort ions into side × side columns.

    Returns
    -------
    column : ndarray, shape (ions,)
        Number of the column of each ion.
    newest : ndarray, shape (side²,)
        The ion with the highest number in each column, −1 where there is none.
    previous : ndarray, shape (ions,)
        The next lower one in its column, −1 where there is none.
    """
    count = positions.shape[1]
    column = np.empty(count, np.int64)
    newest = np.full(side * side, -1)
    previous = np.empty(count, np.int64)
    inverse = 1.0 / length
    for i in range(count):
        x, y = positions[0, i] * inverse, positions[1, i] * inverse
        # an ion whose position is no number is put somewhere too, until `inspect` notices
        row = max(0, min(int(side * (x - np.floor(x))), side - 1))
        place = max(0, min(int(side * (y - np.floor(y))), side - 1))
        column[i] = row * side + place
        previous[i] = newest[column[i]]
        newest[column[i]] = i
    return column, newest, previous


@njit(**FAST)
def distance2(positions, i, j, length, inverse):  # pragma: no cover - compiled
    """Squared distance (nm²) of the nearest images of two ions; `inverse` is 1/length."""
    x = positions[0, i] - positions[0, j]
    y = positions[1, i] - positions[1, j]
    z = positions[2, i] - positions[2, j]
    x -= length * np.rint(x * inverse)
    y -= length * np.rint(y * inverse)
    return x * x + y * y + z * z


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
    """Forces (k_BT/nm) of both walls, written to `forces`; the x and y parts are zero."""
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
    """Z forces (k_BT/nm) of the left and of the right wall on an ion."""
    size2 = field.wall_size[species] ** 2
    left = z + field.wall_position[species]
    right = z - field.wall_position[species]
    return (
        left * wca_force_over_r(left * left, size2),
        right * wca_force_over_r(right * right, size2),
    )
