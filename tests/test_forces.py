"""Forces of whole configurations against their energy, exactly."""

import numpy as np
import pytest

from backend.md.electrostatics import fit_correction
from backend.md.forces import (
    build_pairs,
    contact_forces,
    coulomb_buffer,
    direct_forces,
    force_field,
    image_forces,
    potential_energy,
)
from backend.md.lattice import lattice
from backend.system import SlitSystem

SYSTEMS = [
    SlitSystem(),
    SlitSystem(positive_valency=3, salt_concentration=0.9, wall="plane"),
    SlitSystem(positive_valency=2, positive_diameter=0.5, negative_diameter=0.7),
]


def configuration(system):
    """Ions on a lattice, disturbed so that some repel each other and some the walls."""
    rng = np.random.default_rng(5)
    positions = lattice(system, rng)
    return positions + rng.uniform(-0.08, 0.08, positions.shape)


def total_forces(system, positions, precision):
    field = force_field(system, precision)
    contact, direct, images = np.zeros((3, *positions.shape))
    direct_forces(positions, field, coulomb_buffer(field), direct)
    image_forces(positions, field, coulomb_buffer(field), images)
    pairs = np.zeros((32 * positions.shape[1], 2), dtype=np.int32)
    count = build_pairs(positions, field, 0.1, pairs)
    assert count <= len(pairs)
    contact_forces(positions, field, pairs, count, contact)
    assert np.abs(contact).max() > 1, "no ion touches another: the test would show nothing"
    return contact + direct + images


@pytest.mark.parametrize("system", SYSTEMS)
def test_forces_are_the_gradient_of_the_energy(system):
    positions = configuration(system)
    forces = total_forces(system, positions, "double")
    field = force_field(system, "double")
    polynomial = fit_correction(system.confinement_length / system.box_length).polynomial
    step = 1e-5
    ions = np.random.default_rng(6).choice(system.ion_count, 12, replace=False)
    for ion in ions:
        for axis in range(3):
            energies = []
            for sign in (1, -1):
                moved = positions.copy()
                moved[axis, ion] += sign * step
                energies.append(potential_energy(moved, field, polynomial))
            slope = -(energies[0] - energies[1]) / (2 * step)
            assert forces[axis, ion] == pytest.approx(slope, rel=1e-6, abs=1e-5)


@pytest.mark.parametrize("system", SYSTEMS)
def test_single_precision_is_precise_enough(system):
    positions = configuration(system)
    double = total_forces(system, positions, "double")
    single = total_forces(system, positions, "single")
    assert np.sqrt(np.mean((single - double) ** 2)) < 1e-5 * np.sqrt(np.mean(double**2))


def test_forces_do_not_depend_on_which_image_of_an_ion_is_given():
    system = SYSTEMS[0]
    positions = configuration(system)
    shifted = positions.copy()
    shifts = np.random.default_rng(7).integers(-2, 3, (2, system.ion_count))
    shifted[:2] += system.box_length * shifts
    assert total_forces(system, shifted, "double") == pytest.approx(
        total_forces(system, positions, "double"), abs=1e-8
    )


def test_mirrored_ions_feel_mirrored_forces():
    system = SYSTEMS[1]
    positions = configuration(system)
    mirror = np.array([[1.0], [1.0], [-1.0]])
    assert total_forces(system, mirror * positions, "double") == pytest.approx(
        mirror * total_forces(system, positions, "double"), abs=1e-8
    )
