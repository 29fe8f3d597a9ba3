"""Charge and potential of profiles with analytic solutions, and their standard errors."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from scipy import constants

from backend.profiles.bins import bin_centres
from backend.profiles.blocks import BlockResiduals
from backend.profiles.charge import (
    CHARGE_PER_MOLAR_NM,
    SCREENING_LEVELS,
    ChargeProfile,
    net_charge_density,
)
from backend.profiles.density import DensityProfile, SlitProfiles
from backend.sampling import trajectory
from backend.sampling.result import SimulationResult
from backend.settings import RunSettings
from backend.system import SlitSystem

CHARGED = SlitSystem(surface_charge_density=-0.05)
SIGMA = CHARGED.actual_surface_charge_density
Z = bin_centres(CHARGED)
PERMITTIVITY = constants.epsilon_0 * CHARGED.relative_permittivity


def profiles(densities):
    return SlitProfiles(*(DensityProfile(Z, d, np.zeros_like(d)) for d in densities))


def charge_of(densities, system=CHARGED, residuals=None):
    return ChargeProfile.of(system, profiles(np.array(densities)), residuals)


def counterions(shape):
    """Densities of positive ions of a given shape that neutralise the walls; no negative ions."""
    step = CHARGED.confinement_length / len(Z)
    balance = -2 * SIGMA / (CHARGE_PER_MOLAR_NM * step * shape.sum())
    return np.array([balance * shape, np.zeros_like(shape)])


def test_a_uniform_slab_of_charge_has_a_parabolic_potential():
    charge = charge_of(counterions(np.ones_like(Z)))
    half = 1e-9 * CHARGED.confinement_length / 2
    z = 1e-9 * Z
    np.testing.assert_allclose(charge.integrated, -SIGMA * z / half, atol=1e-12)
    parabola = 1000 * SIGMA * z**2 / (2 * half * PERMITTIVITY)
    np.testing.assert_allclose(charge.potential, parabola, atol=1e-9)
    wall = 1000 * SIGMA * half / (2 * PERMITTIVITY)
    assert charge.wall_potential == pytest.approx(wall)


def test_negative_walls_have_a_negative_potential_and_attract_positive_charge():
    charge = charge_of(counterions(np.exp(-(1.5 - np.abs(Z)) / 0.2)))
    assert SIGMA < 0 < charge.density[0]
    assert charge.integrated[0] == pytest.approx(SIGMA, rel=0.1)
    np.testing.assert_allclose(charge.integrated, -charge.integrated[::-1], atol=1e-12)
    np.testing.assert_allclose(charge.potential, charge.potential[::-1], atol=1e-9)
    assert np.all(np.diff(charge.potential[Z < 0]) > 0)
    assert charge.wall_potential < charge.potential[0] < 0


def test_charge_at_the_midplane_does_not_change_the_field_outside_it():
    charge = charge_of(counterions((np.abs(Z) < 0.01).astype(float)))
    outside = np.abs(Z) > 0.02
    np.testing.assert_allclose(np.abs(charge.integrated[outside]), -SIGMA)
    field = 1000 * SIGMA * 1e-9 / PERMITTIVITY  # mV/nm
    np.testing.assert_allclose(np.diff(charge.potential[outside & (Z < 0)]), -field * 0.01)


def test_the_charge_density_weights_ions_by_their_valency():
    system = CHARGED.replace(positive_valency=3, negative_valency=-2)
    densities = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    assert net_charge_density(system, densities).tolist() == [3, -2, 1]


def test_without_charge_there_is_no_potential():
    shape = 1 + np.cos(Z)
    charge = charge_of([shape, shape], SlitSystem())
    for values in (charge.density, charge.integrated, charge.potential):
        np.testing.assert_allclose(values, 0, atol=1e-12)
    assert np.isnan(charge.screening_length)


def test_screening_length_of_a_charge_that_decays_exponentially():
    decay = 0.1
    charge = charge_of(counterions(np.exp(-(1.5 - np.abs(Z)) / decay)))
    assert charge.screening_length == pytest.approx(
        -decay * np.log(SCREENING_LEVELS).mean(), rel=0.005
    )


def test_zero_charge_at_the_midplane_by_symmetry_is_not_screening():
    assert np.isnan(charge_of(counterions(np.ones_like(Z))).screening_length)


# --- errors ---------------------------------------------------------------------------------


def runs(number, blocks=24):
    """Yield (densities, residuals) of runs whose blocks fluctuate in a known way.

    The first mode shifts both species equally, each of the others a single species. No mode changes
    the number of ions.
    """
    rng = np.random.default_rng(3)
    modes = np.cos(2 * np.pi * np.outer([1, 2, 3], Z) / CHARGED.confinement_length)
    mean = counterions(np.exp(-(1.5 - np.abs(Z)) / 0.2)) + 0.5
    for _ in range(number):
        both, one, other = (0.05 * rng.standard_normal((blocks, 1)) for _ in range(3))
        shared = 4 * both * modes[0]
        each = mean + np.stack([shared + one * modes[1], shared + other * modes[2]], axis=1)
        densities = each.mean(axis=0)
        yield densities, BlockResiduals.of(each - densities)


@pytest.fixture(scope="module")
def ensemble():
    return [charge_of(densities, residuals=residuals) for densities, residuals in runs(300)]


@pytest.mark.parametrize(
    "name", ["density", "integrated", "potential", "wall_potential", "screening_length"]
)
def test_standard_errors_match_the_scatter_of_repeated_runs(ensemble, name):
    scatter = np.std([getattr(charge, name) for charge in ensemble], axis=0, ddof=1)
    errors = np.array([getattr(charge, f"{name}_error") for charge in ensemble])
    error = np.sqrt(np.mean(errors**2, axis=0))
    moving = scatter > 0.05 * np.max(scatter)  # elsewhere modes cancel down to rounding
    np.testing.assert_allclose(error[moving], scatter[moving], rtol=0.12)


def test_fluctuations_common_to_both_species_do_not_affect_the_charge(ensemble):
    _, residuals = next(runs(1))
    variances = [np.diag(residuals.covariance(s, s)) for s in range(2)]
    as_if_independent = np.sqrt(sum(variances)).mean()
    assert ensemble[0].density_error.mean() < 0.6 * as_if_independent


def test_errors_of_linear_quantities_match_the_covariance():
    densities, residuals = next(runs(1))
    blocks = len(residuals.left)
    assert residuals.left.dtype == np.float32
    spread = residuals.full.std(axis=0, ddof=1) / np.sqrt(blocks)
    np.testing.assert_allclose(residuals.standard_error(lambda d: d, densities), spread)
    cross = residuals.covariance(0, 1)
    variance = sum(residuals.covariance(s, s) for s in range(2)) - cross - cross.T
    found = charge_of(densities, residuals=residuals).density_error
    np.testing.assert_allclose(np.sqrt(np.diag(variance)), found)


# --- on disk --------------------------------------------------------------------------------


def test_a_result_is_saved_and_loaded_with_its_blocks(tmp_path):
    densities, residuals = next(runs(1))
    counted = profiles(densities * 1.01)
    result = SimulationResult(CHARGED, RunSettings(), profiles(densities), {}, residuals, counted)
    result.save(tmp_path)
    without_snapshots = set(SimulationResult.FILES) - set(trajectory.FILES)
    assert {path.name for path in tmp_path.iterdir()} == without_snapshots
    again = BlockResiduals.load(tmp_path)
    assert np.array_equal(again.left, residuals.left)
    histogram = SlitProfiles.from_csv((tmp_path / SimulationResult.HISTOGRAM).read_text())
    np.testing.assert_allclose(histogram.densities, counted.densities, rtol=1e-7)
    with open(tmp_path / "charge.csv", newline="") as stream:
        header, *rows = csv.reader(stream)
    assert tuple(header) == tuple(ChargeProfile.COLUMNS)
    table = dict(zip(header, np.array(rows, dtype=float).T, strict=True))
    for column, name in ChargeProfile.COLUMNS.items():
        expected = getattr(result.charge, name)
        np.testing.assert_allclose(table[column], expected, rtol=1e-7, atol=1e-12)


def test_a_charge_profile_takes_its_errors_from_a_file():
    densities, residuals = next(runs(1))
    stored = charge_of(densities, residuals=residuals).to_csv()
    charge = charge_of(1.01 * densities).with_errors(stored)
    expected = charge_of(densities, residuals=residuals)
    np.testing.assert_allclose(charge.potential_error, expected.potential_error, rtol=1e-7)
    np.testing.assert_allclose(charge.density, 1.01 * expected.density)
    for damaged in ("", "z_nm,density_M\n", stored[: len(stored) // 2]):
        with pytest.raises(ValueError):
            charge.with_errors(damaged)


def test_a_result_without_blocks_has_charges_but_no_errors(tmp_path):
    densities, residuals = next(runs(1))
    result = SimulationResult(CHARGED, RunSettings(), profiles(densities), {}, residuals)
    old = replace(result, residuals=BlockResiduals.load(tmp_path))
    assert np.array_equal(old.charge.integrated, result.charge.integrated)
    assert np.all(np.isnan(old.charge.integrated_error))
    with pytest.raises(ValueError, match="run it again"):
        old.covariance()
