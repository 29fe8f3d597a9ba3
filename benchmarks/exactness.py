"""Force errors relative to a converged two-dimensional Ewald sum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backend.electrostatics import ewald_pair
from backend.engines.lammps.engine import forces as lammps_forces
from backend.engines.numba.contact import build_pairs, contact_forces
from backend.engines.numba.coulomb import coulomb_buffer, coulomb_forces
from backend.engines.numba.forces import ForceField, force_field
from backend.engines.numba.integrators import PAIRS_PER_ION
from backend.system import SlitSystem
from benchmarks.contenders import Contender


@dataclass(frozen=True)
class ForceError:
    """Root-mean-square error of the forces on ions.

    Attributes
    ----------
    contender : str
    lateral, normal : float
        Error of the x and y components and of the z component (k_BT/d of the smaller ion).
    relative : float
        Error of all components, relative to the root mean square of the Coulomb force.
    """

    contender: str
    lateral: float
    normal: float
    relative: float


def measure(
    system: SlitSystem, positions: np.ndarray, contenders: list[Contender]
) -> list[ForceError]:
    """Measure the errors of all contenders for a configuration (nm), shape (3, ions)."""
    coulomb = exact_coulomb(system, positions)
    contact = _contact(positions, force_field(system, "double"))
    scale = np.sqrt(np.mean(coulomb**2))
    errors = []
    for contender in contenders:
        if contender.method:
            forces = lammps_forces(system, positions, contender.method)
        else:
            settings = contender.settings
            field = force_field(system, settings.precision, settings.electrostatics)
            forces = _contact(positions, field) + _coulomb(positions, field)
        squares = np.mean((forces - coulomb - contact) ** 2, axis=1)
        errors.append(
            ForceError(
                contender.name,
                lateral=float(np.sqrt(squares[:2].mean()) * system.smaller_diameter),
                normal=float(np.sqrt(squares[2]) * system.smaller_diameter),
                relative=float(np.sqrt(squares.mean()) / scale),
            )
        )
    return errors


def exact_coulomb(system: SlitSystem, positions: np.ndarray) -> np.ndarray:
    """Coulomb forces (k_BT/nm) from Ewald sums over all pairs, shape (3, ions)."""
    length = system.box_length
    charges = np.repeat(np.array(system.valencies, dtype=float), system.counts)
    forces = np.zeros_like(positions)
    for i in range(len(charges) - 1):
        displacements = (positions[:, i, None] - positions[:, i + 1 :]) / length
        displacements[:2] -= np.rint(displacements[:2])
        # truncation: e^-36 in real space, e^-17 in reciprocal space
        _, pair = ewald_pair(displacements.T, real_shells=1, waves=8)
        pair *= charges[i] * charges[i + 1 :, None]
        forces[:, i] += pair.sum(axis=0)
        forces[:, i + 1 :] -= pair.T
    return forces * system.bjerrum_length / length**2


def _contact(positions: np.ndarray, field: ForceField) -> np.ndarray:
    forces = np.zeros_like(positions)
    pairs = np.zeros((PAIRS_PER_ION * positions.shape[1], 2), dtype=np.int32)
    count = build_pairs(positions, field, 0.1, pairs)
    contact_forces(positions, field, pairs, count, forces)
    return forces


def _coulomb(positions: np.ndarray, field: ForceField) -> np.ndarray:
    forces = np.zeros_like(positions)
    buffer = coulomb_buffer(field.valency, type(field.coulomb.zero))
    coulomb_forces(positions, field, buffer, forces)
    return forces
