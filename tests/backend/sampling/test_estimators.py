"""Estimators, compared with exact results."""

from dataclasses import replace

import numpy as np
import pytest

from backend.engines.numba import integrators
from backend.engines.numba.forces import force_field
from backend.engines.numba.replica import Replica
from backend.profiles.bins import bin_centres
from backend.sampling import estimators
from backend.sampling.agreement import agreement
from backend.sampling.convergence import evaluate
from backend.sampling.observables import energies
from backend.sampling.samples import SERIES, Samples, empty_tally
from backend.settings import RunSettings
from backend.system import SlitSystem
from backend.walls import boltzmann_factor, wall_energy


def binned_boltzmann(system, bins=300, points=50):
    z = bin_centres(system, bins * points)
    factor = boltzmann_factor(system, "positive", z).reshape(bins, points).mean(axis=1)
    return factor * system.salt_concentration / factor.mean()


@pytest.fixture(scope="module", params=["ion", "plane"])
def ideal(request):
    """Return a run of ions that interact only with the walls: (system, blocks)."""
    system = SlitSystem(wall=request.param)
    replica = Replica(system, RunSettings(seed=4), 0)
    replica.force_field = force_field(system, coulomb=False, wca=False)
    tallies = []
    for _ in range(60):
        tally = empty_tally(system, 300, 400)
        integrators.advance(replica.state, replica.force_field, replica.stepping, 0, 400, tally)
        tallies.append(tally)
    return system, Samples.of(tallies[10:])


@pytest.mark.parametrize("estimate", [estimators.density_profiles, estimators.histogram_profiles])
def test_noninteracting_ions_follow_the_boltzmann_distribution(ideal, estimate):
    system, samples = ideal
    profile = estimate(system, samples).positive
    exact = binned_boltzmann(system)
    counted = exact > 0.05 * exact.max()
    deviation = (profile.density - exact)[counted] / profile.error[counted]
    relative = np.abs(profile.density[counted] / exact[counted] - 1)
    assert np.max(np.abs(deviation)) < 5
    assert np.mean(relative) < 0.01
    assert np.mean(deviation**2) < 4  # neighbouring bins are correlated: few independent numbers


def test_profiles_are_symmetric_and_contain_all_ions(ideal):
    system, samples = ideal
    profile = estimators.density_profiles(system, samples).positive
    assert np.array_equal(profile.density, profile.density[::-1])
    assert profile.mean_density == pytest.approx(system.salt_concentration, rel=1e-12)
    empty = boltzmann_factor(system, "positive", bin_centres(system)) < 1e-12
    assert np.all(profile.density[empty] == 0)


def test_contact_density_agrees_with_the_exact_profile(ideal):
    system, samples = ideal
    profile = estimators.density_profiles(system, samples).positive
    exact = binned_boltzmann(system).max() / np.e
    assert profile.contact_density(system, "positive") == pytest.approx(exact, rel=0.02)


def test_both_estimators_agree_with_correct_forces_and_temperature(ideal):
    system, samples = ideal
    norm = estimators.force_blocks(system, samples).mean(axis=-1)
    mean, error = estimators.block_mean(norm)
    assert np.all(np.abs(mean - estimators.mean_densities(system)) < 4 * error)


def test_the_agreement_check_detects_ions_counted_in_the_wrong_bin(ideal):
    system, samples = ideal
    right = agreement(system, samples)
    assert right.probability > 0.001
    assert right.largest_difference < 0.03
    shift = np.where(np.abs(bin_centres(system)) > 0.8, 1.05, 0.95)
    wrong = agreement(system, replace(samples, counts=samples.counts * shift))
    assert wrong.probability < 1e-6
    assert wrong.largest_difference > 0.03


def test_wall_energy_is_one_at_contact_and_infinite_behind_the_wall():
    for wall in ("ion", "plane"):
        system = SlitSystem(wall=wall)
        contact = system.contact_planes[0]
        assert wall_energy(system, "positive", np.array([contact]))[0] == pytest.approx(1)
        assert np.isinf(wall_energy(system, "positive", np.array([5.0])))[0]


def test_merging_blocks_keeps_the_sums():
    rng = np.random.default_rng(0)
    samples = Samples(*rng.random((3, 10, 2, 6)), 7, 4)
    merged = samples.merged(3)
    assert merged.blocks == 3
    assert (merged.samples, merged.rows) == (21, 12)
    assert merged.counts.sum() == pytest.approx(samples.counts[1:].sum())


def of_lengths(*lengths):
    rng = np.random.default_rng(3)
    return [Samples(*rng.random((3, length, 2, 6)), 7, 4) for length in lengths]


@pytest.mark.parametrize("lengths", [(20, 180), (39, 161), (57, 20, 23), (200, 200)])
def test_replicas_are_weighted_by_their_length(lengths):
    replicas = of_lengths(*lengths)
    blocks = Samples.in_blocks(replicas, 20)
    length = blocks.samples // 7
    assert blocks.blocks == sum(each // length for each in lengths) >= 20 * len(lengths)
    # with one more tally in each block there would be too few blocks
    assert sum(each // (length + 1) for each in lengths) < 20 * len(lengths)
    kept = [each.counts[len(each.counts) % length :] for each in replicas]
    assert blocks.counts.mean(axis=0) == pytest.approx(length * np.concatenate(kept).mean(axis=0))


def test_replicas_of_equal_lengths_have_equal_numbers_of_blocks():
    replicas = of_lengths(53, 53, 53)
    blocks = Samples.in_blocks(replicas, 20)
    expected = Samples.joined([each.merged(2) for each in replicas])
    assert np.array_equal(blocks.counts, expected.counts)
    assert (blocks.samples, blocks.rows) == (14, 8)


def test_blocks_of_unequal_lengths_give_the_overall_mean_and_its_standard_error():
    """White noise: the standard error must equal the spread of the mean over many runs."""
    rng = np.random.default_rng(5)
    means, errors = [], []
    for _ in range(2000):
        series = [rng.standard_normal((rows, len(SERIES))) for rows in (40, 360)]
        blocks = estimators.block_averages(series, 20)["dipole"]
        mean, error = estimators.block_mean(blocks, estimators.block_weights(series, 20))
        assert mean == pytest.approx(np.concatenate(series)[:, 1].mean(), abs=1e-12)
        means.append(mean)
        errors.append(error)
    assert np.std(means) == pytest.approx(1 / 20, rel=0.05)
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(1 / 20, rel=0.03)


def test_weights_do_not_change_blocks_of_equal_lengths():
    series = list(np.random.default_rng(6).random((3, 47, len(SERIES))))
    blocks = estimators.block_averages(series, 20)["middle"]
    weighted = estimators.block_mean(blocks, estimators.block_weights(series, 20))
    assert weighted == estimators.block_mean(blocks)


def test_potential_energy_is_the_mean_over_replicas_of_unequal_lengths():
    system = SlitSystem()
    short, long = np.full(20, -1.0), np.full(180, -2.0)
    found = energies(system, [short, long], 1.0)
    assert found["potential"] * system.ion_count == pytest.approx(-1.9)


def test_a_short_replica_does_not_hide_a_drift(ideal):
    system, samples = ideal
    rng = np.random.default_rng(7)
    short, long = (rng.standard_normal((rows, len(SERIES))) for rows in (20, 3600))
    long[1800:] += 0.3
    profiles = estimators.density_profiles(system, samples)
    differences = evaluate(samples, profiles, [short, long], None).differences
    for quantity in ("middle", "contact"):
        assert differences[f"both halves of the run ({quantity})"] < -5


@pytest.mark.parametrize("rows", [2.0, 10.0])
def test_autocorrelation_time_of_a_known_process(rows):
    """The series is autoregressive with correlation exp(−lag/rows)."""
    rng = np.random.default_rng(1)
    memory = np.exp(-1 / rows)
    series = [0.0]
    for noise in rng.standard_normal(100_000):
        series.append(memory * series[-1] + noise)
    exact = 0.5 * (1 + memory) / (1 - memory)
    measured = estimators.autocorrelation_rows(np.array(series))
    assert measured == pytest.approx(exact, rel=0.1)
