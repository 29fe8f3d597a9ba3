"""Time integration: velocity Verlet and Langevin BAOAB with multiple time steps.

Units: lengths in nm, energies in k_BT, mass 1, so velocities have unit variance and the unit of
time is nm √(m/k_BT). Coulomb forces vary slowly and are evaluated less often than contact forces,
every `coulomb_split` time steps (reversible multiple time steps: Tuckerman, Berne, Martyna, J.
Chem. Phys. 97, 1990 (1992)). Langevin noise acts in the middle of such an interval (BAOAB:
Leimkuhler, Matthews, Appl. Math. Res. Express 2013, 34), a Nosé-Hoover chain at both ends.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from backend.engines.numba.compiled import EXACT, FAST
from backend.engines.numba.contact import build_pairs, contact_forces
from backend.engines.numba.coulomb import coulomb_buffer, coulomb_forces
from backend.engines.numba.forces import ForceField
from backend.engines.numba.tally import tally, tally_contact
from backend.engines.numba.thermostats import add_noise, move_chain
from backend.sampling.dynamics import CHAIN_LENGTH, RELAXATION_MOBILITY

PAIRS_PER_ION = 32

OK, NOT_FINITE, THROUGH_WALL, TOO_MANY_PAIRS = range(4)
"""Return values of `advance`."""


class State(NamedTuple):
    """State of a replica; the arrays are updated in place.

    Attributes
    ----------
    positions, velocities : ndarray, shape (3, ions)
        Positions (nm), with x and y not wrapped into the box, and velocities.
    contact, coulomb : ndarray, shape (3, ions)
        Forces of WCA pairs and walls; Coulomb forces (k_BT/nm).
    pairs : ndarray of int32, shape (capacity, 2)
        Neighbour list for the WCA forces.
    pair_count : ndarray of int64, shape (1,)
        Number of valid rows in `pairs`.
    listed : ndarray, shape (3, ions)
        Positions at which the neighbour list was built.
    noise : ndarray of uint64, shape (1,)
        State of the thermostat's random number generator.
    chain : ndarray, shape (2, CHAIN_LENGTH)
        Positions and velocities of a Nosé-Hoover chain.
    buffer : ndarray
        Workspace of the Coulomb loops.
    """

    positions: np.ndarray
    velocities: np.ndarray
    contact: np.ndarray
    coulomb: np.ndarray
    pairs: np.ndarray
    pair_count: np.ndarray
    listed: np.ndarray
    noise: np.ndarray
    chain: np.ndarray
    buffer: np.ndarray


class Stepping(NamedTuple):
    """Constants of the integrator.

    Attributes
    ----------
    dt : float
        Time step (nm √(m/k_BT)).
    coulomb_split : int
        Time steps per evaluation of the Coulomb forces.
    intervals : int
        Evaluations of the Coulomb forces per sample.
    memory : float
        Factor exp(−γ coulomb_split dt) by which the Langevin step damps velocities; 1 without
        a Langevin thermostat.
    chain_inertia : ndarray, shape (CHAIN_LENGTH,)
        Masses of the Nosé-Hoover chain; zero without a chain.
    degrees : float
        Number of degrees of freedom of the ions.
    skin : float
        Margin of the neighbour list (nm).
    half_width : float
        h/2 (nm), the largest |z| of an ion.
    """

    dt: float
    coulomb_split: int
    intervals: int
    memory: float
    chain_inertia: np.ndarray
    degrees: float
    skin: float
    half_width: float


def initial_state(
    positions: np.ndarray, velocities: np.ndarray, field: ForceField, noise: int
) -> State:
    """Return a state whose forces `start` has yet to compute; `noise` is a 64-bit seed."""
    count = positions.shape[1]
    return State(
        positions=positions,
        velocities=velocities,
        contact=np.zeros((3, count)),
        coulomb=np.zeros((3, count)),
        pairs=np.zeros((PAIRS_PER_ION * count, 2), dtype=np.int32),
        pair_count=np.zeros(1, dtype=np.int64),
        listed=np.full((3, count), np.inf),
        noise=np.array([noise], dtype=np.uint64),
        chain=np.zeros((2, CHAIN_LENGTH)),
        buffer=work_space(field),
    )


def work_space(field: ForceField) -> np.ndarray:
    """Return a workspace for the Coulomb loops, which holds no state between steps."""
    return coulomb_buffer(field.valency, type(field.coulomb.zero))


@njit(**FAST)
def start(state, field, stepping):  # pragma: no cover - compiled
    """Compute all forces at the current positions."""
    relist(state, field, stepping.skin)
    refresh_contact(state, field, stepping.skin)
    coulomb_forces(state.positions, field, state.buffer, state.coulomb)


@njit(**FAST)
def relax(state, field, stepping, steps, largest_move):  # pragma: no cover - compiled
    """Remove overlaps by steepest descent, moving ions by at most `largest_move` (nm) per step."""
    for _ in range(steps):
        refresh_contact(state, field, stepping.skin)
        for i in range(state.positions.shape[1]):
            for a in range(3):
                move = RELAXATION_MOBILITY * state.contact[a, i]
                state.positions[a, i] += min(max(move, -largest_move), largest_move)


@njit(**FAST)
def advance(state, field, stepping, first, samples, record):  # pragma: no cover - compiled
    """Advance by a number of samples, with `intervals` Coulomb intervals per sample.

    `first` is the index of the first of these samples in the tally.

    Returns
    -------
    int
        OK, NOT_FINITE, THROUGH_WALL or TOO_MANY_PAIRS.
    """
    for sample in range(first, first + samples):
        for _ in range(stepping.intervals - 1):
            coulomb_interval(state, field, stepping, record, sample, -1)
        phase = sample % stepping.coulomb_split
        coulomb_interval(state, field, stepping, record, sample, phase)
        if state.pair_count[0] > state.pairs.shape[0]:
            return TOO_MANY_PAIRS
        trouble = inspect(state.positions, stepping.half_width)
        if trouble != OK:
            return trouble
        tally(state, field, stepping.degrees, record, sample)
    return OK


@njit(**FAST)
def coulomb_interval(  # pragma: no cover - compiled
    state, field, stepping, record, sample, phase
):
    """Perform `coulomb_split` time steps between two kicks by the Coulomb forces.

    Contact forces are tallied after step number `phase`, if there is one.
    """
    half = 0.5 * stepping.dt * stepping.coulomb_split
    middle = stepping.coulomb_split // 2
    chained = stepping.chain_inertia[0] > 0.0
    if chained:
        move_chain(state.velocities, state.chain, stepping.chain_inertia, stepping.degrees, half)
    kick(state.velocities, state.coulomb, half)
    for step in range(stepping.coulomb_split):
        time_step(state, field, stepping, stepping.memory if step == middle else 1.0)
        if step == phase:
            tally_contact(state, field, record, sample)
    coulomb_forces(state.positions, field, state.buffer, state.coulomb)
    kick(state.velocities, state.coulomb, half)
    if chained:
        move_chain(state.velocities, state.chain, stepping.chain_inertia, stepping.degrees, half)


@njit(**FAST)
def time_step(state, field, stepping, memory):  # pragma: no cover - compiled
    """Perform a half kick, half drift, noise, half drift, new contact forces, half kick."""
    half = 0.5 * stepping.dt
    kick(state.velocities, state.contact, half)
    drift(state.positions, state.velocities, half)
    if memory < 1.0:
        add_noise(state.velocities, memory, state.noise)
    drift(state.positions, state.velocities, half)
    refresh_contact(state, field, stepping.skin)
    kick(state.velocities, state.contact, half)


@njit(**FAST)
def kick(velocities, forces, time):  # pragma: no cover - compiled
    """Update the velocities with forces that act for a given time."""
    for a in range(3):
        for i in range(velocities.shape[1]):
            velocities[a, i] += time * forces[a, i]


@njit(**FAST)
def drift(positions, velocities, time):  # pragma: no cover - compiled
    """Move the ions freely for a given time."""
    for a in range(3):
        for i in range(positions.shape[1]):
            positions[a, i] += time * velocities[a, i]


@njit(**FAST)
def refresh_contact(state, field, skin):  # pragma: no cover - compiled
    """Compute contact forces; rebuild the neighbour list if an ion has moved over half the skin."""
    if farthest_move2(state) > 0.25 * skin * skin:
        relist(state, field, skin)
    count = min(state.pair_count[0], state.pairs.shape[0])
    contact_forces(state.positions, field, state.pairs, count, state.contact)


@njit(**FAST)
def farthest_move2(state):  # pragma: no cover - compiled
    """Return the largest squared displacement (nm²) since the neighbour list was built."""
    farthest = 0.0
    for i in range(state.positions.shape[1]):
        x = state.positions[0, i] - state.listed[0, i]
        y = state.positions[1, i] - state.listed[1, i]
        z = state.positions[2, i] - state.listed[2, i]
        farthest = max(farthest, x * x + y * y + z * z)
    return farthest


@njit(**FAST)
def relist(state, field, skin):  # pragma: no cover - compiled
    """Rebuild the neighbour list."""
    state.pair_count[0] = build_pairs(state.positions, field, skin, state.pairs)
    state.listed[:] = state.positions


@njit(**EXACT)
def inspect(positions, half_width):  # pragma: no cover - compiled
    """Check that all positions are finite and between the walls; return a code of `advance`."""
    for i in range(positions.shape[1]):
        z = positions[2, i]
        if not np.isfinite(positions[0, i] + positions[1, i] + z):
            return NOT_FINITE
        if abs(z) >= half_width:
            return THROUGH_WALL
    return OK


@njit(**FAST)
def kinetic_energy(velocities):  # pragma: no cover - compiled
    """Return the kinetic energy (k_BT)."""
    return 0.5 * np.sum(velocities * velocities)
