"""Short runs against what holds exactly, or in a limit, for any electrolyte in a slit.

Tolerances are 4 standard errors of the runs themselves. Where profiles are compared, the numbers of
ions in a few layers are, because the errors of single bins move together.
"""

from functools import cache
from itertools import combinations

import numpy as np
import pytest

from backend.engines import registry
from backend.engines.numba.engine import run
from backend.poisson_boltzmann import poisson_boltzmann
from backend.profiles.bins import BINS
from backend.profiles.charge import CHARGE_PER_MOLAR_NM, integrated_charge, wall_potential
from backend.settings import RunSettings
from backend.system import SPECIES, SlitSystem

STANDARD_ERRORS = 4
LAYERS = 5

UNEQUAL_IONS_CHARGED_WALLS = SlitSystem(
    salt_concentration=0.6,
    positive_diameter=0.4,
    negative_diameter=0.8,
    surface_charge_density=-0.03,
)
DIVALENT_CATIONS = SlitSystem(2.0, 2, -1, 0.6, 0.5, negative_ions=424)
DIVALENT_ANIONS = SlitSystem(2.0, 1, -2, 0.3, 0.5, negative_ions=212)
"""The same ions with reversed charges, in a box of the same size."""

WEAKLY_COUPLED = SlitSystem(
    confinement_length=4.0,
    salt_concentration=0.1,
    positive_diameter=0.3,
    surface_charge_density=-0.02,
    relative_permittivity=160.0,
)
"""Coupling parameter 2π l_B² |σ|/e = 0.1; mean-field theory begins to fail at about 1."""


@cache
def result_of(system, duration_ns):
    return run(system, RunSettings(duration_ns=duration_ns, replicas=1, seed=11))


def unequal():
    return result_of(UNEQUAL_IONS_CHARGED_WALLS, 0.3)


def divalent():
    return result_of(DIVALENT_CATIONS, 0.3)


def deviation(one, other, species, other_species=None):
    """Return the largest difference of two runs in layers of equal ion numbers, in errors."""
    below = np.cumsum(getattr(one, species).density[: BINS // 2])
    layer = np.floor(LAYERS * (below - 1e-9) / below[-1])
    sums = np.zeros((LAYERS, BINS))
    sums[:, : BINS // 2] = layer == np.arange(LAYERS)[:, None]
    other_species = other_species or species
    difference = sums @ (getattr(one, species).density - getattr(other, other_species).density)
    covariance = one.covariance(species) + other.covariance(other_species)
    return np.max(np.abs(difference) / np.sqrt(np.diag(sums @ covariance @ sums.T)))


# --- exact relations ------------------------------------------------------------------------


@pytest.mark.parametrize("result", [unequal, divalent])
def test_ions_balance_the_charge_of_the_walls(result):
    """∫ (z₊ρ₊ + z₋ρ₋) dz = −2σ, and force sampling alone gives the number of ions."""
    charge, system = result().charge, result().system
    width = system.confinement_length / BINS
    total = CHARGE_PER_MOLAR_NM * width * charge.density.sum()
    assert total == pytest.approx(-2 * system.actual_surface_charge_density, rel=1e-9, abs=1e-12)
    checks = result().summary.checks
    for species, ratio in checks.force_to_count_ratio.items():
        error = checks.force_to_count_ratio_error[species]
        assert error < 0.02
        assert abs(ratio - 1) < STANDARD_ERRORS * error


@pytest.mark.parametrize("result", [unequal, divalent])
def test_pressures_on_both_walls_and_across_the_midplane_are_equal(result):
    """Mechanical equilibrium: there is no net force on any plane parallel to the walls."""
    for one, other in combinations(result().summary.pressures_MPa.values(), 2):
        error = np.hypot(one["error"], other["error"])
        assert error < 0.02 * one["pressure"]
        assert abs(one["pressure"] - other["pressure"]) < STANDARD_ERRORS * error


@pytest.mark.parametrize("result", [unequal, divalent])
def test_counting_ions_agrees_with_force_sampling(result):
    assert result().summary.checks.estimators.probability > 1e-4


@pytest.mark.long
def test_forces_imply_the_number_of_strongly_coupled_ions():
    """With Coulomb forces at every fifth step they would imply 2 % more."""
    system = SlitSystem(2.78, 3, -2, 1.19, 0.727, surface_charge_density=-0.029, wall="plane")
    settings = RunSettings(duration_ns=5.0, replicas=1, seed=11)
    checks = registry.get("numba").run(system, settings).summary.checks
    for species in SPECIES:
        error = checks.force_to_count_ratio_error[species]
        assert error < 0.004
        assert abs(checks.force_to_count_ratio[species] - 1) < STANDARD_ERRORS * error


def test_divalent_anions_behave_as_divalent_cations_do():
    """Reversing the sign of every charge changes only the sign of the potential."""
    assert DIVALENT_CATIONS.counts == DIVALENT_ANIONS.counts[::-1]
    assert DIVALENT_CATIONS.box_length == pytest.approx(DIVALENT_ANIONS.box_length)
    reversed_charges = result_of(DIVALENT_ANIONS, 0.3)
    assert deviation(divalent(), reversed_charges, "positive", "negative") < STANDARD_ERRORS
    assert deviation(divalent(), reversed_charges, "negative", "positive") < STANDARD_ERRORS
    assert deviation(divalent(), reversed_charges, "positive") > 3 * STANDARD_ERRORS
    assert divalent().charge.potential[0] * reversed_charges.charge.potential[0] < 0


def test_temperature_and_permittivity_act_through_the_bjerrum_length_alone():
    """At equal ε T, profiles are equal and pressures scale with T; at half of ε T they do not."""
    warm = DIVALENT_CATIONS.replace(temperature=400.0, relative_permittivity=78.5 * 298 / 400)
    same = result_of(warm, 0.2)
    coupled = result_of(DIVALENT_CATIONS.replace(relative_permittivity=78.5 / 2), 0.1)
    for species in SPECIES:
        assert deviation(divalent(), same, species) < STANDARD_ERRORS
        assert deviation(divalent(), coupled, species) > 3 * STANDARD_ERRORS
    reference, heated, other = (
        result.summary.pressures_MPa["middle"] for result in (divalent(), same, coupled)
    )
    rise = 400 / 298
    error = np.hypot(heated["error"], rise * reference["error"])
    assert abs(heated["pressure"] - rise * reference["pressure"]) < STANDARD_ERRORS * error
    assert abs(other["pressure"] - rise * reference["pressure"]) > 3 * STANDARD_ERRORS * error


# --- limits ---------------------------------------------------------------------------------


def test_weakly_coupled_ions_follow_poisson_boltzmann():
    """Correlations and the ions' size change the integrated charge by less than 0.5 % of σ.

    The potential of the walls, and the densities in the middle, by less than 1 %.
    """
    result = result_of(WEAKLY_COUPLED, 0.15)
    charge, exact = result.charge, poisson_boltzmann(WEAKLY_COUPLED).densities
    sigma = abs(WEAKLY_COUPLED.actual_surface_charge_density)
    allowed = STANDARD_ERRORS * charge.integrated_error + 0.005 * sigma
    assert np.max(allowed) < 0.03 * sigma
    assert np.all(np.abs(charge.integrated - integrated_charge(WEAKLY_COUPLED, exact)) < allowed)
    deviation = charge.wall_potential / wall_potential(WEAKLY_COUPLED, exact) - 1
    error = charge.wall_potential_error / abs(charge.wall_potential)
    assert abs(deviation) < STANDARD_ERRORS * error + 0.01
    errors = result.summary.density_errors_M
    for s, (species, profile) in enumerate(result.profiles.by_species().items()):
        allowed = STANDARD_ERRORS * errors[species]["mid"] + 0.01 * profile.mid_density
        assert abs(profile.mid_density - exact[s, BINS // 2]) < allowed
    # the test would fail with twice the strength of the Coulomb interaction
    wrong = poisson_boltzmann(WEAKLY_COUPLED.replace(relative_permittivity=80.0)).densities
    difference = charge.integrated - integrated_charge(WEAKLY_COUPLED, wrong)
    assert np.max(np.abs(difference)) > 0.03 * sigma
