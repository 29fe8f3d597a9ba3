"""Forces of complete configurations, compared with the gradient of their energy."""

import numpy as np
import pytest

from backend.engines.numba.contact import build_pairs, contact_forces
from backend.engines.numba.coulomb import coulomb_buffer, coulomb_forces
from backend.engines.numba.forces import force_field, potential_energy
from backend.sampling.lattice import lattice
from backend.system import SlitSystem

SYSTEMS = [
    SlitSystem(),
    SlitSystem(positive_valency=3, salt_concentration=0.9, wall="plane"),
    SlitSystem(positive_valency=2, positive_diameter=0.5, negative_diameter=0.7),
]


def configuration(system):
    """Return a lattice, disturbed so that some ions touch each other or the walls."""
    rng = np.random.default_rng(5)
    positions = lattice(system, rng)
    return positions + rng.uniform(-0.08, 0.08, positions.shape)


def total_forces(system, positions, precision, electrostatics="periodic"):
    field = force_field(system, precision, electrostatics)
    contact, coulomb = np.zeros((2, *positions.shape))
    buffer = coulomb_buffer(field.valency, type(field.coulomb.zero))
    coulomb_forces(positions, field, buffer, coulomb)
    pairs = np.zeros((32 * positions.shape[1], 2), dtype=np.int32)
    count = build_pairs(positions, field, 0.1, pairs)
    assert count <= len(pairs)
    contact_forces(positions, field, pairs, count, contact)
    assert np.abs(contact).max() > 1, "no ion touches another: the test would show nothing"
    return contact + coulomb


@pytest.mark.parametrize("electrostatics", ["periodic", "sheets"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_forces_are_the_gradient_of_the_energy(system, electrostatics):
    positions = configuration(system)
    forces = total_forces(system, positions, "double", electrostatics)
    field = force_field(system, "double", electrostatics)
    step = 1e-5
    ions = np.random.default_rng(6).choice(system.ion_count, 6, replace=False)
    for ion in ions:
        for axis in range(3):
            energies = []
            for sign in (1, -1):
                moved = positions.copy()
                moved[axis, ion] += sign * step
                energies.append(potential_energy(moved, field))
            slope = -(energies[0] - energies[1]) / (2 * step)
            assert forces[axis, ion] == pytest.approx(slope, rel=1e-6, abs=2e-5)


@pytest.mark.parametrize("width", [0.9, 3.0])
def test_neighbours_are_found_with_any_number_of_columns(width):
    system = SlitSystem(confinement_length=width, salt_concentration=0.5, positive_diameter=0.5)
    rng = np.random.default_rng(8)
    count, length = system.ion_count, system.box_length
    positions = rng.uniform(-1, 2, (3, count)) * length
    positions[2] = rng.uniform(-0.4, 0.4, count) * width
    for skin in (0.2, 0.3 * length):  # the second skin leaves only two columns
        reach = force_field(system).pair_size.max() * 2 ** (1 / 6) + skin
        away = positions[:, :, None] - positions[:, None, :]
        away[:2] -= length * np.rint(away[:2] / length)
        near = np.triu((away**2).sum(axis=0) < reach**2, 1)
        pairs = np.zeros((count**2, 2), dtype=np.int32)
        found = build_pairs(positions, force_field(system), skin, pairs)
        listed = np.zeros_like(near)
        listed[tuple(pairs[:found].T)] = True
        assert np.array_equal(listed, near)
        assert found == near.sum() > count / 10


@pytest.mark.parametrize("system", SYSTEMS)
def test_single_precision_is_sufficient(system):
    positions = configuration(system)
    double = total_forces(system, positions, "double")
    single = total_forces(system, positions, "single")
    assert np.sqrt(np.mean((single - double) ** 2)) < 1e-5 * np.sqrt(np.mean(double**2))


def test_forces_do_not_depend_on_the_choice_of_periodic_images():
    system = SYSTEMS[0]
    positions = configuration(system)
    shifted = positions.copy()
    shifts = np.random.default_rng(7).integers(-2, 3, (2, system.ion_count))
    shifted[:2] += system.box_length * shifts
    assert total_forces(system, shifted, "double") == pytest.approx(
        total_forces(system, positions, "double"), abs=1e-8
    )


def test_mirrored_ions_have_mirrored_forces():
    system = SYSTEMS[1]
    positions = configuration(system)
    mirror = np.array([[1.0], [1.0], [-1.0]])
    assert total_forces(system, mirror * positions, "double") == pytest.approx(
        mirror * total_forces(system, positions, "double"), abs=1e-8
    )
