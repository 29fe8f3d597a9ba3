"""Thermostats: Langevin noise and the Nosé-Hoover chain.

Units: energies in k_BT, mass 1.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from backend.engines.numba.compiled import FAST

# SplitMix64: G. L. Steele, D. Lea, C. H. Flood, OOPSLA 2014
INCREMENT, FIRST_FACTOR, SECOND_FACTOR = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xBF58476D1CE4E5B9),
    np.uint64(0x94D049BB133111EB),
)
SHIFTS = np.uint64(30), np.uint64(27), np.uint64(31)
PART_BITS, PART = np.uint64(16), np.uint64(0xFFFF)
INVERSE_DEVIATION = 1.0 / np.sqrt((2.0**32 - 1.0) / 3.0)


@njit(**FAST)
def next_normals(noise):  # pragma: no cover - compiled
    """Return three uncorrelated random numbers of mean 0 and variance 1, nearly Gaussian.

    `noise`, shape (1,) of uint64, is the state of the generator. The four 16-bit parts of its next
    number are uniform; each returned number is the sum of two parts minus the sum of the other two.
    A thermostat needs only the correct moments (B. Dünweg, W. Paul, Int. J. Mod. Phys. C 2, 817
    (1991)): a velocity is the sum of hundreds of such numbers, so it is nearly Gaussian, with a
    kurtosis only 0.004 below 3.
    """
    noise[0] += INCREMENT
    word = noise[0]
    word = (word ^ (word >> SHIFTS[0])) * FIRST_FACTOR
    word = (word ^ (word >> SHIFTS[1])) * SECOND_FACTOR
    word ^= word >> SHIFTS[2]
    a = np.float64(word & PART)
    b = np.float64((word >> PART_BITS) & PART)
    c = np.float64((word >> (PART_BITS + PART_BITS)) & PART)
    d = np.float64(word >> (PART_BITS + PART_BITS + PART_BITS))
    return (
        INVERSE_DEVIATION * (a + b - c - d),
        INVERSE_DEVIATION * (a - b + c - d),
        INVERSE_DEVIATION * (a - b - c + d),
    )


@njit(**FAST)
def add_noise(velocities, memory, noise):  # pragma: no cover - compiled
    """Perform an Ornstein-Uhlenbeck step that damps every velocity by the factor `memory`."""
    fresh = np.sqrt(1.0 - memory * memory)
    for i in range(velocities.shape[1]):
        x, y, z = next_normals(noise)
        velocities[0, i] = memory * velocities[0, i] + fresh * x
        velocities[1, i] = memory * velocities[1, i] + fresh * y
        velocities[2, i] = memory * velocities[2, i] + fresh * z


@njit(**FAST)
def move_chain(velocities, chain, inertia, degrees, time):  # pragma: no cover - compiled
    """Apply a Nosé-Hoover chain to the velocities for a given time.

    G. J. Martyna, M. L. Klein, M. Tuckerman, J. Chem. Phys. 97, 2635 (1992), in the reversible form
    of Mol. Phys. 87, 1117 (1996).

    Parameters
    ----------
    velocities : ndarray, shape (3, ions)
    chain : ndarray, shape (2, CHAIN_LENGTH)
        Positions and velocities of the chain.
    inertia : ndarray, shape (CHAIN_LENGTH,)
        Masses of the chain.
    degrees : float
        Number of degrees of freedom of the ions.
    time : float
        Time (nm √(m/k_BT)).
    """
    twice_kinetic = np.sum(velocities * velocities)
    pull_chain(chain, inertia, twice_kinetic - degrees, time, True)
    scale = np.exp(-time * chain[1, 0])
    velocities *= scale
    for k in range(len(inertia)):
        chain[0, k] += time * chain[1, k]
    pull_chain(chain, inertia, twice_kinetic * scale * scale - degrees, time, False)


@njit(**FAST)
def pull_chain(chain, inertia, excess, time, from_the_end):  # pragma: no cover - compiled
    """Advance the chain's velocities by half a step; `excess` is the force on the first link."""
    last = len(inertia) - 1
    for n in range(last + 1):
        k = last - n if from_the_end else n
        pull = excess if k == 0 else inertia[k - 1] * chain[1, k - 1] ** 2 - 1.0
        drag = np.exp(-0.25 * time * chain[1, k + 1]) if k < last else 1.0
        chain[1, k] = (chain[1, k] * drag + 0.5 * time * pull / inertia[k]) * drag


@njit(**FAST)
def chain_energy(chain, inertia, degrees):  # pragma: no cover - compiled
    """Return the contribution of the chain to the conserved energy (k_BT)."""
    kinetic = 0.5 * np.sum(inertia * chain[1] ** 2)
    return kinetic + degrees * chain[0, 0] + np.sum(chain[0, 1:])
