"""Compiled loop that adds a configuration to a tally."""

from __future__ import annotations

from numba import njit

from backend.engines.numba.compiled import FAST
from backend.engines.numba.contact import wall_forces_at


@njit(**FAST)
def tally(state, field, degrees, record, sample):  # pragma: no cover - compiled
    """Add the current configuration to the sums, as sample number `sample` of the tally.

    `degrees` is the number of degrees of freedom for the temperature.
    """
    bins = record.counts.shape[1]
    half, middle, contact = record.limits
    scale = bins / (2.0 * half)
    count = state.positions.shape[1]
    kinetic, dipole, inner, outer = 0.0, 0.0, 0, 0
    left_wall, right_wall, left_half = 0.0, 0.0, 0.0
    for i in range(count):
        z = state.positions[2, i]
        species = int(i >= field.positive_count)
        place = (z + half) * scale
        k = min(int(place), bins - 1)
        force = state.contact[2, i] + state.coulomb[2, i]
        record.counts[species, k] += 1.0
        record.forces[species, k] += force
        record.tails[species, k] += force * (k + 1 - place)
        for a in range(3):
            kinetic += state.velocities[a, i] ** 2
        dipole += field.valency[i] * z
        left, right = wall_forces_at(z, species, field)
        left_wall += left
        right_wall += right
        if z < 0.0:
            left_half += force - left - right
        inner += abs(z) < middle
        outer += abs(z) > contact
    row = record.series[sample // record.samples_per_row]
    share = 1.0 / record.samples_per_row
    row[0] += share * kinetic / degrees
    row[1] += share * dipole
    row[2] += share * inner
    row[3] += share * outer
    row[4] += share * left_wall
    row[5] += share * right_wall
    row[6] += share * left_half
