"""The Coulomb interaction against the two-dimensional Ewald sum."""

import numpy as np
import pytest

from backend.md.electrostatics import (
    ewald_pair,
    fit_correction,
    harmonic_polynomials,
    polynomial_energy,
    polynomial_force,
)
from backend.md.forces import coulomb_buffer, direct_forces, force_field, image_forces
from backend.md.lattice import lattice
from backend.system import SlitSystem


def random_pairs(count, width):
    pairs = np.random.default_rng(1).random((count, 3)) - 0.5
    pairs[:, 2] *= width
    return pairs


def test_ewald_sum_does_not_depend_on_how_it_is_split():
    pairs = random_pairs(20, 0.8)
    energy, force = ewald_pair(pairs)
    other_energy, other_force = ewald_pair(pairs, screening=4.0, real_shells=4)
    assert energy == pytest.approx(other_energy, abs=1e-12)
    assert force == pytest.approx(other_force, abs=1e-12)


def test_far_apart_a_pair_feels_the_field_of_a_charged_plane():
    _, force = ewald_pair(np.array([[0.3, 0.1, 3.0]]))
    assert force[0] == pytest.approx([0, 0, 2 * np.pi], abs=1e-6)


@pytest.mark.parametrize("axis", range(3))
def test_pair_forces_are_gradients_of_their_energies(axis):
    pairs = random_pairs(20, 0.8)
    step = np.zeros(3)
    step[axis] = 1e-5

    def slope(energy):
        return -(energy(pairs + step) - energy(pairs - step)) / 2e-5

    assert slope(lambda d: ewald_pair(d)[0]) == pytest.approx(
        ewald_pair(pairs)[1][:, axis], abs=1e-6
    )
    harmonics = harmonic_polynomials()
    assert slope(lambda d: polynomial_energy(harmonics, d)) == pytest.approx(
        polynomial_force(harmonics, pairs)[..., axis], rel=1e-6, abs=1e-5
    )


def test_harmonics_solve_the_laplace_equation():
    pairs, step = random_pairs(20, 0.8), 1e-3
    shifts = step * np.concatenate([np.eye(3), -np.eye(3)])
    harmonics = harmonic_polynomials()
    centre = polynomial_energy(harmonics, pairs)
    laplacian = sum(polynomial_energy(harmonics, pairs + s) for s in shifts) - 6 * centre
    scale = np.abs(harmonics).max(axis=(1, 2, 3))[:, None]
    assert laplacian / step**2 / scale == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("width_to_box", [0.1, 0.2, 0.4])
def test_fitted_correction_has_the_stated_error(width_to_box):
    assert fit_correction(width_to_box).error < 0.007


@pytest.mark.parametrize("positive_valency", [1, 2, 3])
def test_ion_forces_agree_with_the_ewald_sum(positive_valency):
    """Per-ion forces of a whole configuration, to 1e-3 of their root mean square."""
    system = SlitSystem(positive_valency=positive_valency)
    rng = np.random.default_rng(3)
    positions = lattice(system, rng) + 0.1 * rng.standard_normal((3, system.ion_count))
    field = force_field(system)
    direct, images = np.zeros((2, *positions.shape))
    buffer = coulomb_buffer(field)
    direct_forces(positions, field, buffer, direct)
    image_forces(positions, field, buffer, images)
    forces = direct + images
    some = rng.choice(system.ion_count, 40, replace=False)
    exact = direct_ewald_forces(system, positions, field.valency, some)
    deviation = np.sqrt(np.mean((forces[:, some] - exact) ** 2, axis=1))
    assert np.all(deviation < 1e-3 * np.sqrt(np.mean(exact**2)))


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
