"""Errors of the forces, against a converged two-dimensional Ewald sum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backend.lammps.engine import forces as lammps_forces
from backend.md.electrostatics import ewald_pair
from backend.md.forces import (
    build_pairs,
    contact_forces,
    coulomb_buffer,
    direct_forces,
    force_field,
    image_forces,
)
from backend.md.integrators import PAIRS_PER_ION
from backend.system import SlitSystem
from benchmarks.contenders import Contender


@dataclass(frozen=True)
class ForceError:
    """Root-mean-square error of a component of the force on an ion (k_BT/d₊), and its share.

    Attributes
    ----------
    lateral, normal : float
        Of the x and y components; of the z component.
    relative : float
        Of all components, over the root mean square of the Coulomb force.
    """

    contender: str
    lateral: float
    normal: float
    relative: float


def measure(
    system: SlitSystem, positions: np.ndarray, contenders: list[Contender]
) -> list[ForceError]:
    """Errors of all contenders for a configuration (nm), shape (3, ions)."""
    coulomb = exact_coulomb(system, positions)
    contact = _contact(system, positions, "double")
    scale = np.sqrt(np.mean(coulomb**2))
    errors = []
    for contender in contenders:
        if contender.method:
            forces = lammps_forces(system, positions, contender.method)
        else:
            precision = contender.settings.precision
            forces = _contact(system, positions, precision) + _coulomb(system, positions, precision)
        squares = np.mean((forces - coulomb - contact) ** 2, axis=1)
        errors.append(
            ForceError(
                contender.name,
                lateral=float(np.sqrt(squares[:2].mean()) * system.positive_diameter),
                normal=float(np.sqrt(squares[2]) * system.positive_diameter),
                relative=float(np.sqrt(squares.mean()) / scale),
            )
        )
    return errors


def exact_coulomb(system: SlitSystem, positions: np.ndarray) -> np.ndarray:
    """Coulomb forces (k_BT/nm) by Ewald sums over all pairs, shape (3, ions)."""
    length = system.box_length
    charges = np.repeat(np.array(system.valencies, dtype=float), system.counts)
    forces = np.zeros_like(positions)
    for i in range(len(charges) - 1):
        displacements = (positions[:, i, None] - positions[:, i + 1 :]) / length
        displacements[:2] -= np.rint(displacements[:2])
        # e^-36 is left out in real space, e^-17 among waves
        _, pair = ewald_pair(displacements.T, real_shells=1, waves=8)
        pair *= charges[i] * charges[i + 1 :, None]
        forces[:, i] += pair.sum(axis=0)
        forces[:, i + 1 :] -= pair.T
    return forces * system.bjerrum_length / length**2


def _contact(system: SlitSystem, positions: np.ndarray, precision: str) -> np.ndarray:
    field = force_field(system, precision)
    forces = np.zeros_like(positions)
    pairs = np.zeros((PAIRS_PER_ION * positions.shape[1], 2), dtype=np.int32)
    count = build_pairs(positions, field, 0.1, pairs)
    contact_forces(positions, field, pairs, count, forces)
    return forces


def _coulomb(system: SlitSystem, positions: np.ndarray, precision: str) -> np.ndarray:
    field = force_field(system, precision)
    direct, images = np.zeros((2, *positions.shape))
    direct_forces(positions, field, coulomb_buffer(field), direct)
    image_forces(positions, field, coulomb_buffer(field), images)
    return direct + images
