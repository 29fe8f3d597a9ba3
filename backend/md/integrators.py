"""Time integration: velocity Verlet and Langevin BAOAB with multiple time steps.

Units: lengths nm, energies k_BT, mass 1, so that velocities have unit variance and the unit of time
is nm √(m/k_BT). Forces that vary slowly are evaluated less often (reversible multiple time steps:
Tuckerman, Berne, Martyna, J. Chem. Phys. 97, 1990 (1992)): contact forces every time step, Coulomb
forces of nearest images every `direct_split` time steps, those of all other images every
`image_split` times as seldom. Langevin noise acts in the middle of a Coulomb interval (BAOAB:
Leimkuhler, Matthews, Appl. Math. Res. Express 2013, 34).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from backend.md.compiled import EXACT, FAST
from backend.md.estimators import tally
from backend.md.forces import (
    ForceField,
    build_pairs,
    contact_forces,
    coulomb_buffer,
    direct_forces,
    image_forces,
)

PAIRS_PER_ION = 32

OK, NOT_FINITE, THROUGH_WALL, TOO_MANY_PAIRS = range(4)
"""What `advance` returns."""


class State(NamedTuple):
    """All that changes from step to step; the arrays are updated in place.

    Attributes
    ----------
    positions, velocities : ndarray, shape (3, ions)
        x and y are not wrapped into the box.
    contact, direct, images : ndarray, shape (3, ions)
        Forces of WCA pairs and walls; Coulomb forces of nearest images; of all others (k_BT/nm).
    pairs : ndarray of int32, shape (capacity, 2)
        Neighbours for the WCA forces; `pair_count`, shape (1,), of them are valid.
    listed : ndarray, shape (3, ions)
        Positions at which the list was made.
    buffer : ndarray
        Work space of the Coulomb loop.
    """

    positions: np.ndarray
    velocities: np.ndarray
    contact: np.ndarray
    direct: np.ndarray
    images: np.ndarray
    pairs: np.ndarray
    pair_count: np.ndarray
    listed: np.ndarray
    buffer: np.ndarray


class Stepping(NamedTuple):
    """Constants of the integrator.

    Attributes
    ----------
    dt : float
        Time step (nm √(m/k_BT)).
    direct_split : int
        Time steps for each evaluation of the Coulomb forces of nearest images.
    image_split : int
        Of these evaluations, how many for each one of the other images' forces.
    memory : float
        Share of a velocity that survives the Langevin step, exp(−γ direct_split dt); 1 without
        thermostat.
    skin : float
        Thickness of the neighbour list's margin (nm).
    half_width : float
        h/2 (nm): no ion may be farther out.
    """

    dt: float
    direct_split: int
    image_split: int
    memory: float
    skin: float
    half_width: float


def initial_state(positions: np.ndarray, velocities: np.ndarray, field: ForceField) -> State:
    """A state whose forces are still to be computed by `start`."""
    count = positions.shape[1]
    return State(
        positions=positions,
        velocities=velocities,
        contact=np.zeros((3, count)),
        direct=np.zeros((3, count)),
        images=np.zeros((3, count)),
        pairs=np.zeros((PAIRS_PER_ION * count, 2), dtype=np.int32),
        pair_count=np.zeros(1, dtype=np.int64),
        listed=np.full((3, count), np.inf),
        buffer=coulomb_buffer(field),
    )


@njit(**FAST)
def start(state, field, stepping):  # pragma: no cover - compiled
    """Compute all forces at the present positions."""
    relist(state, field, stepping.skin)
    refresh_contact(state, field, stepping.skin)
    direct_forces(state.positions, field, state.buffer, state.direct)
    image_forces(state.positions, field, state.buffer, state.images)


@njit(**FAST)
def relax(state, field, stepping, steps, largest_move):  # pragma: no cover - compiled
    """Undo overlaps: steepest descent by at most `largest_move` (nm) on the WCA and wall energy."""
    for _ in range(steps):
        refresh_contact(state, field, stepping.skin)
        for i in range(state.positions.shape[1]):
            for a in range(3):
                move = 0.002 * state.contact[a, i]
                state.positions[a, i] += min(max(move, -largest_move), largest_move)


@njit(**FAST)
def advance(state, field, stepping, first, samples, rng, record):  # pragma: no cover - compiled
    """Advance by some cycles of `image_split` Coulomb intervals; each ends as a sample.

    `first` is the number of the first of these samples within the tally.

    Returns
    -------
    int
        OK, or what went wrong.
    """
    half = 0.5 * stepping.dt * stepping.direct_split * stepping.image_split
    for sample in range(first, first + samples):
        kick(state.velocities, state.images, half)
        for _ in range(stepping.image_split):
            coulomb_interval(state, field, stepping, rng)
        image_forces(state.positions, field, state.buffer, state.images)
        kick(state.velocities, state.images, half)
        if state.pair_count[0] > state.pairs.shape[0]:
            return TOO_MANY_PAIRS
        trouble = inspect(state.positions, stepping.half_width)
        if trouble != OK:
            return trouble
        tally(state, field, record, sample)
    return OK


@njit(**FAST)
def coulomb_interval(state, field, stepping, rng):  # pragma: no cover - compiled
    """`direct_split` time steps between two kicks by the Coulomb forces of nearest images."""
    half = 0.5 * stepping.dt * stepping.direct_split
    middle = stepping.direct_split // 2
    kick(state.velocities, state.direct, half)
    for step in range(stepping.direct_split):
        memory = stepping.memory if step == middle else 1.0
        time_step(state, field, stepping, memory, rng)
    direct_forces(state.positions, field, state.buffer, state.direct)
    kick(state.velocities, state.direct, half)


@njit(**FAST)
def time_step(state, field, stepping, memory, rng):  # pragma: no cover - compiled
    """Half kick by contact forces, half drift, noise, half drift, new forces, half kick."""
    half = 0.5 * stepping.dt
    kick(state.velocities, state.contact, half)
    drift(state.positions, state.velocities, half)
    if memory < 1.0:
        add_noise(state.velocities, memory, rng)
    drift(state.positions, state.velocities, half)
    refresh_contact(state, field, stepping.skin)
    kick(state.velocities, state.contact, half)


@njit(**FAST)
def kick(velocities, forces, time):  # pragma: no cover - compiled
    """Change velocities by a force that acts for some time."""
    for a in range(3):
        for i in range(velocities.shape[1]):
            velocities[a, i] += time * forces[a, i]


@njit(**FAST)
def drift(positions, velocities, time):  # pragma: no cover - compiled
    """Move freely for some time."""
    for a in range(3):
        for i in range(positions.shape[1]):
            positions[a, i] += time * velocities[a, i]


@njit(**FAST)
def add_noise(velocities, memory, rng):  # pragma: no cover - compiled
    """Exact Ornstein-Uhlenbeck step of the velocities at k_BT = 1, m = 1."""
    fresh = np.sqrt(1.0 - memory * memory)
    for a in range(3):
        for i in range(velocities.shape[1]):
            velocities[a, i] = memory * velocities[a, i] + fresh * rng.standard_normal()


@njit(**FAST)
def refresh_contact(state, field, skin):  # pragma: no cover - compiled
    """Contact forces; the neighbour list is made anew once an ion has moved half the skin."""
    limit = 0.25 * skin * skin
    for i in range(state.positions.shape[1]):
        moved = 0.0
        for a in range(3):
            moved += (state.positions[a, i] - state.listed[a, i]) ** 2
        if moved > limit:
            relist(state, field, skin)
            break
    count = min(state.pair_count[0], state.pairs.shape[0])
    contact_forces(state.positions, field, state.pairs, count, state.contact)


@njit(**FAST)
def relist(state, field, skin):  # pragma: no cover - compiled
    """Make the neighbour list anew."""
    state.pair_count[0] = build_pairs(state.positions, field, skin, state.pairs)
    state.listed[:] = state.positions


@njit(**EXACT)
def inspect(positions, half_width):  # pragma: no cover - compiled
    """Whether all ions are where ions can be."""
    for i in range(positions.shape[1]):
        z = positions[2, i]
        if not np.isfinite(positions[0, i] + positions[1, i] + z):
            return NOT_FINITE
        if abs(z) >= half_width:
            return THROUGH_WALL
    return OK


@njit(**FAST)
def kinetic_energy(velocities):  # pragma: no cover - compiled
    """Kinetic energy (k_BT)."""
    return 0.5 * np.sum(velocities * velocities)
