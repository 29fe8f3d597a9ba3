"""Compiled loops that add a configuration to a tally.

Coulomb forces act as kicks, between which the ions deviate from their smooth paths and return to
them. Averaged over the interval between two kicks, contact forces balance the kicks; at the moments
of the kicks, they do not if ions attract each other strongly (docs/trust.md). So samples take the
contact forces at the steps of the interval in turn, and everything else at its end.
"""

from __future__ import annotations

from numba import njit

from backend.engines.numba.compiled import FAST
from backend.engines.numba.contact import wall_forces_at


@njit(**FAST)
def tally(state, field, degrees, record, sample):  # pragma: no cover - compiled
    """Add the current configuration to the sums, as sample number `sample` of the tally.

    Contact forces are not included: see `tally_contact`. `degrees` is the number of degrees of
    freedom for the temperature.
    """
    bins = record.counts.shape[1]
    half, middle, contact = record.limits
    scale = bins / (2.0 * half)
    count = state.positions.shape[1]
    kinetic, dipole, inner, outer, left_half = 0.0, 0.0, 0, 0, 0.0
    for i in range(count):
        z = state.positions[2, i]
        species = int(i >= field.positive_count)
        place = (z + half) * scale
        k = min(int(place), bins - 1)
        force = state.coulomb[2, i]
        record.counts[species, k] += 1.0
        record.forces[species, k] += force
        record.tails[species, k] += force * (k + 1 - place)
        for a in range(3):
            kinetic += state.velocities[a, i] ** 2
        dipole += field.valency[i] * z
        if z < 0.0:
            left_half += force
        inner += abs(z) < middle
        outer += abs(z) > contact
    row = record.series[sample // record.samples_per_row]
    share = 1.0 / record.samples_per_row
    row[0] += share * kinetic / degrees
    row[1] += share * dipole
    row[2] += share * inner
    row[3] += share * outer
    row[6] += share * left_half


@njit(**FAST)
def tally_contact(state, field, record, sample):  # pragma: no cover - compiled
    """Add the current contact forces to the sums, as those of sample number `sample`."""
    bins = record.counts.shape[1]
    half = record.limits[0]
    scale = bins / (2.0 * half)
    left_wall, right_wall, left_half = 0.0, 0.0, 0.0
    for i in range(state.positions.shape[1]):
        z = state.positions[2, i]
        species = int(i >= field.positive_count)
        place = (z + half) * scale
        k = min(max(int(place), 0), bins - 1)  # not yet known to be within the slit
        force = state.contact[2, i]
        record.forces[species, k] += force
        record.tails[species, k] += force * (k + 1 - place)
        left, right = wall_forces_at(z, species, field)
        left_wall += left
        right_wall += right
        if z < 0.0:
            left_half += force - left - right
    row = record.series[sample // record.samples_per_row]
    share = 1.0 / record.samples_per_row
    row[4] += share * left_wall
    row[5] += share * right_wall
    row[6] += share * left_half
