"""Time integration: conservation, reproducibility, temperature."""

import numpy as np
import pytest

from backend.engines.numba import integrators, thermostats
from backend.engines.numba.forces import potential_energy
from backend.engines.numba.replica import Replica, stepping
from backend.sampling.samples import empty_tally
from backend.settings import SAMPLE_TIME, RunSettings
from backend.system import SlitSystem

SYSTEM = SlitSystem()


def equilibrated(seed=1):
    """Return positions and velocities after equilibration with a thermostat."""
    replica = Replica(SYSTEM, RunSettings(seed=seed), 0)
    advance(replica, 300)
    return replica.state.positions.copy(), replica.state.velocities.copy()


def advance(replica, samples):
    tally = empty_tally(replica.system, 300, samples)
    outcome = integrators.advance(
        replica.state, replica.force_field, replica.stepping, 0, samples, tally
    )
    assert outcome == integrators.OK
    return tally


def energy_fluctuation(start, time_step, precision, duration=2.0):
    """Return the standard deviation of the total energy (k_BT) at constant energy."""
    settings = RunSettings(
        thermostat="none", precision=precision, time_step=time_step, coulomb_split=1
    )
    return np.std(energies(Replica(SYSTEM, settings, 0), start, round(duration / SAMPLE_TIME)))


def energies(replica, start, samples):
    """Return the total energy (k_BT) at every sample after given positions and velocities."""
    state, field = replica.state, replica.force_field
    state.positions[:], state.velocities[:] = start
    integrators.start(state, field, replica.stepping)
    total = []
    for _ in range(samples):
        advance(replica, 1)
        kinetic = integrators.kinetic_energy(state.velocities)
        total.append(kinetic + potential_energy(state.positions, field))
    return total


@pytest.mark.parametrize("precision", ["single", pytest.param("double", marks=pytest.mark.long)])
def test_energy_fluctuation_scales_with_the_square_of_the_time_step(precision):
    ratios = [
        energy_fluctuation(start, 0.004, precision) / energy_fluctuation(start, 0.002, precision)
        for start in (equilibrated(seed) for seed in range(1, 9))
    ]
    assert np.mean(ratios) == pytest.approx(4, abs=0.8)


def test_multiple_time_stepping_conserves_energy_as_well_as_a_single_time_step():
    replica = Replica(SYSTEM, RunSettings(thermostat="none"), 0)
    fluctuation = np.std(energies(replica, equilibrated(), samples=80))
    assert fluctuation < 0.004 * integrators.kinetic_energy(replica.state.velocities)


def test_mixtures_of_small_and_large_ions_conserve_energy():
    """A time step three times as long, that of the larger ion, gives errors of 1e-4 or more."""
    system = SlitSystem(positive_valency=3, positive_diameter=0.744, negative_diameter=0.245)
    warm = Replica(system, RunSettings(), 0)
    advance(warm, 600)
    replica = Replica(system, RunSettings(thermostat="none"), 0)
    start = warm.state.positions, warm.state.velocities
    assert np.std(energies(replica, start, samples=160)) < 5e-5 * 1.5 * system.ion_count


@pytest.mark.parametrize("diameters", [(0.744, 0.245), (0.245, 0.744), (0.245, 0.245)])
def test_time_step_is_a_fraction_of_the_time_unit_of_the_smaller_ion(diameters):
    system = SlitSystem(positive_diameter=diameters[0], negative_diameter=diameters[1])
    nm_per_speed = SlitSystem(positive_diameter=1.0).time_unit_ns  # unit of time of `Stepping`
    step = stepping(system, RunSettings()).dt * nm_per_speed
    assert step * 1e6 == pytest.approx(3.732, abs=0.002)


@pytest.mark.parametrize("diameters", [(0.744, 0.245), (0.245, 0.744), (0.744, 0.744)])
def test_thermostat_coupling_is_no_stronger_than_for_the_larger_ion(diameters):
    """A thermostat for the smaller ion would slow the diffusion of the larger ion."""
    system = SlitSystem(positive_diameter=diameters[0], negative_diameter=diameters[1])
    langevin = stepping(system, RunSettings())
    friction = -np.log(langevin.memory) / (langevin.dt * langevin.coulomb_split)
    assert friction == pytest.approx(0.5 / 0.744)
    chain = stepping(system, RunSettings(thermostat="nose-hoover")).chain_inertia
    assert chain[1] == pytest.approx((0.5 * 0.744) ** 2)


def test_thermostat_maintains_the_temperature():
    replica = Replica(SYSTEM, RunSettings(), 0)
    advance(replica, 200)
    # long enough to determine the mean to 0.2 %
    temperature = advance(replica, 16_000).series[:, 0]
    assert temperature.mean() == pytest.approx(1, abs=0.01)


def test_random_numbers_have_the_moments_that_a_thermostat_needs():
    noise = np.array([5], dtype=np.uint64)
    numbers = np.array([thermostats.next_normals(noise) for _ in range(100_000)])
    assert np.cov(numbers.T) == pytest.approx(np.eye(3), abs=0.015)
    numbers = numbers.ravel()
    assert numbers.mean() == pytest.approx(0, abs=0.01)
    assert numbers.var() == pytest.approx(1, abs=0.01)
    assert (numbers**3).mean() == pytest.approx(0, abs=0.03)
    assert (numbers**4).mean() == pytest.approx(2.7, abs=0.05)
    assert np.corrcoef(numbers[:-1], numbers[1:])[0, 1] == pytest.approx(0, abs=0.01)


def test_noise_makes_velocities_gaussian():
    velocities = np.zeros((3, 20_000))
    noise = np.array([6], dtype=np.uint64)
    for _ in range(400):
        thermostats.add_noise(velocities, np.exp(-0.0125), noise)
    assert velocities.var() == pytest.approx(1, abs=0.03)
    assert (velocities**4).mean() / velocities.var() ** 2 == pytest.approx(3, abs=0.07)


def test_a_nose_hoover_chain_conserves_its_extended_energy():
    """The energy is conserved as well as without a thermostat."""
    replica = Replica(SYSTEM, RunSettings(thermostat="nose-hoover"), 0)
    advance(replica, 1000)
    state, stepping = replica.state, replica.stepping
    conserved = []
    for _ in range(80):
        advance(replica, 1)
        conserved.append(
            integrators.kinetic_energy(state.velocities)
            + potential_energy(state.positions, replica.force_field)
            + thermostats.chain_energy(state.chain, stepping.chain_inertia, stepping.degrees)
        )
    assert np.std(conserved) < 0.004 * stepping.degrees / 2
    temperature = advance(replica, 2000).series[:, 0]
    assert temperature.mean() == pytest.approx(1, abs=0.01)
    assert temperature.std() == pytest.approx(np.sqrt(2 / stepping.degrees), rel=0.3)


def test_same_seed_gives_the_same_trajectory_bit_for_bit():
    first, again, other = equilibrated(1), equilibrated(1), equilibrated(2)
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


def test_nonfinite_positions_and_positions_beyond_a_wall_are_detected():
    positions = np.zeros((3, 4))
    assert integrators.inspect(positions, 1.5) == integrators.OK
    positions[2, 1] = -1.5
    assert integrators.inspect(positions, 1.5) == integrators.THROUGH_WALL
    positions[0, 2] = np.nan
    assert integrators.inspect(positions[:, 2:], 1.5) == integrators.NOT_FINITE
