"""Coulomb interaction, compared with the two-dimensional Ewald sum."""

import numpy as np
import pytest

from backend.electrostatics import ewald_pair, sheet_force, splitting
from backend.engines.numba.coulomb import coulomb_buffer, coulomb_forces
from backend.engines.numba.forces import constant_energy, force_field, potential_energy
from backend.sampling.lattice import lattice
from backend.system import SlitSystem


def random_pairs(count, width):
    pairs = np.random.default_rng(1).random((count, 3)) - 0.5
    pairs[:, 2] *= width
    return pairs


def test_ewald_sum_does_not_depend_on_the_splitting_parameter():
    pairs = random_pairs(20, 0.8)
    energy, force = ewald_pair(pairs)
    other_energy, other_force = ewald_pair(pairs, screening=4.0, real_shells=4)
    assert energy == pytest.approx(other_energy, abs=1e-12)
    assert force == pytest.approx(other_force, abs=1e-12)


def test_force_of_a_distant_pair_is_that_of_a_charged_plane():
    _, force = ewald_pair(np.array([[0.3, 0.1, 3.0]]))
    assert force[0] == pytest.approx([0, 0, 2 * np.pi], abs=1e-6)


@pytest.mark.parametrize("axis", range(3))
def test_pair_forces_are_gradients_of_their_energies(axis):
    pairs = random_pairs(20, 0.4)
    step = np.zeros(3)
    step[axis] = 1e-5

    def slope(energy):
        return -(energy(pairs + step) - energy(pairs - step)) / 2e-5

    assert slope(lambda d: ewald_pair(d)[0]) == pytest.approx(
        ewald_pair(pairs)[1][:, axis], abs=1e-6
    )
    for electrostatics in ("periodic", "sheets"):
        split = splitting(0.4, electrostatics)
        assert slope(split.pair_energy) == pytest.approx(
            split.pair_force(pairs)[:, axis], rel=1e-6, abs=1e-5
        )


@pytest.mark.parametrize("width_to_box", [0.02, 0.1, 0.2, 0.3, 0.417])
def test_splitting_has_the_stated_error(width_to_box):
    pairs = random_pairs(2000, 2 * width_to_box)
    split = splitting(width_to_box)
    error = split.pair_force(pairs) - ewald_pair(pairs)[1]
    assert np.sqrt(np.mean(error**2)) < 1.2 * split.error
    assert split.error < 0.003


def test_short_range_forces_are_continuous_at_the_cutoff():
    split = splitting(0.2)
    edge = split.short_range * np.array([[0.6, 0.8, 0.0]])
    inside, outside = (split.pair_force(edge * (1 + step)) for step in (-1e-9, 1e-9))
    assert inside == pytest.approx(outside, abs=1e-6)


@pytest.mark.parametrize("width_to_box", [0.05, 0.2, 0.417])
def test_charged_sheet_force_is_that_of_the_nearest_image_plus_a_sheet_with_a_hole(width_to_box):
    pairs = random_pairs(500, 2 * width_to_box)
    direct = pairs / np.linalg.norm(pairs, axis=1)[:, None] ** 3
    error = splitting(width_to_box, "sheets").pair_force(pairs) - direct - sheet_force(pairs)
    assert np.abs(error).max() < 2e-4
    assert np.sqrt(np.mean(error**2)) < 1e-5 * 2 * np.pi


@pytest.mark.parametrize("positive_valency", [1, 2, 3])
def test_ion_forces_agree_with_the_ewald_sum(positive_valency):
    """Compare forces in a configuration; the tolerance is 1e-3 of their root mean square."""
    exact, forces = exact_and_computed_forces(positive_valency, "periodic")
    deviation = np.sqrt(np.mean((forces - exact) ** 2, axis=1))
    assert np.all(deviation < 1e-3 * np.sqrt(np.mean(exact**2)))


@pytest.mark.parametrize("positive_valency", [1, 2, 3])
def test_charged_sheet_errors_are_larger_parallel_to_the_walls_than_normal_to_them(
    positive_valency,
):
    exact, forces = exact_and_computed_forces(positive_valency, "sheets")
    x, y, z = np.sqrt(np.mean((forces - exact) ** 2, axis=1)) / np.sqrt(np.mean(exact**2))
    print(f"sheets, valency {positive_valency}: lateral {x:.2%} {y:.2%}, normal {z:.2%}")
    assert min(x, y) > 0.03  # 0.045 to 0.12
    assert max(x, y) < 0.15
    assert z < 0.012  # 0.007 to 0.009


def exact_and_computed_forces(positive_valency, electrostatics):
    """Return Coulomb forces on some ions of a disturbed lattice, each of shape (3, 40)."""
    system = SlitSystem(positive_valency=positive_valency)
    rng = np.random.default_rng(3)
    positions = lattice(system, rng) + 0.1 * rng.standard_normal((3, system.ion_count))
    field = force_field(system, electrostatics=electrostatics)
    forces = np.zeros_like(positions)
    coulomb_forces(positions, field, coulomb_buffer(field.valency, np.float32), forces)
    some = rng.choice(system.ion_count, 40, replace=False)
    return direct_ewald_forces(system, positions, field.valency, some), forces[:, some]


def direct_ewald_forces(system, positions, valency, ions):
    length = system.box_length
    reduced = positions.T / length
    forces = []
    for i in ions:
        displacement = np.delete(reduced[i] - reduced, i, axis=0)
        displacement[:, :2] -= np.rint(displacement[:, :2])
        pair = ewald_pair(displacement)[1]
        forces.append(valency[i] * np.delete(valency, i) @ pair)
    return system.bjerrum_length / length**2 * np.array(forces).T


@pytest.mark.parametrize("valency", [1, 3])
def test_energy_includes_all_periodic_images(valency):
    system = SlitSystem(positive_valency=valency, negative_ions=90)
    positions = lattice(system, np.random.default_rng(3))
    charges = np.repeat(system.valencies, system.counts)
    i, j = np.triu_indices(system.ion_count, 1)
    pairs = ((positions[:, i] - positions[:, j]) / system.box_length).T
    pairs[:, :2] -= np.rint(pairs[:, :2])
    energy = np.dot(charges[i] * charges[j], ewald_pair(pairs)[0])
    # the energy of an ion with its own images: a pair at zero distance without the direct term
    near = np.array([[1e-5, 0, 0]])
    energy += 0.5 * np.sum(charges**2) * (ewald_pair(near)[0] - 1e5).item()
    energy *= system.bjerrum_length / system.box_length
    found = potential_energy(positions, force_field(system, "double", wca=False))
    walls = potential_energy(positions, force_field(system, "double", wca=False, coulomb=False))
    found += constant_energy(system, "periodic") - walls
    assert found / system.ion_count == pytest.approx(energy / system.ion_count, abs=2e-3)
