"""Complete runs of the Numba engine."""

from itertools import pairwise

import numpy as np
import pytest

from backend import constants
from backend.engines.numba import engine
from backend.engines.numba.engine import run
from backend.sampling import equilibration, schedule
from backend.sampling.lattice import lattice
from backend.sampling.result import Cancelled, SimulationError
from backend.sampling.samples import SERIES
from backend.sampling.schedule import Schedule
from backend.settings import RunSettings
from backend.system import InvalidInput, SlitSystem
from tests.support.reference import published

SHORT = RunSettings(duration_ns=0.02)


def test_a_run_is_reproduced_bit_for_bit_with_any_number_of_threads():
    first = run(SlitSystem(), SHORT, threads=1)
    again = run(SlitSystem(), SHORT, threads=2)
    assert np.array_equal(first.positive.density, again.positive.density)
    assert np.array_equal(first.negative.error, again.negative.error)


def test_progress_increases_to_the_end(monkeypatch):
    monkeypatch.setattr(engine, "REPORT_SECONDS", 0.0)
    seen = []
    run(SlitSystem(), RunSettings(duration_ns=0.4), threads=2, on_progress=seen.append)
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] <= 1
    assert seen[-1].phase == "sampling"


def test_a_run_is_cancelled_on_request():
    with pytest.raises(Cancelled):
        run(SlitSystem(), RunSettings(duration_ns=100), should_stop=lambda: True)


@pytest.fixture
def hasty(monkeypatch):
    """Shorten the equilibration, for tests that do not depend on the physics."""
    monkeypatch.setattr(schedule, "EQUILIBRATION_TIME", 5.0)
    monkeypatch.setattr(equilibration, "MEASURED_TIMES", 0.0)


def of_tallies(*tallies, **settings):
    """Return a run whose replicas have the given numbers of tallies."""
    job = engine._Run(SlitSystem(), RunSettings(replicas=len(tallies), **settings))
    for replica, wanted in zip(job.replicas, tallies, strict=True):
        job.equilibrate(replica)
        job.sample(wanted, replica)
    return job


@pytest.mark.parametrize("target", [None, 0.001])
@pytest.mark.parametrize("tallies", [(20, 67), (71, 39), (20, 61, 44)])
def test_a_run_with_replicas_of_unequal_lengths_has_a_result(hasty, tallies, target):
    job = of_tallies(*tallies, duration_ns=0.2, target_error=target)
    result = job.result()
    length = sum(tallies) // (20 * len(tallies))
    blocks = sum(each // length for each in tallies)
    assert len(result.residuals.left) == blocks
    tally_ns = job.schedule.tally_ns(job.system, job.settings)
    assert result.summary.simulated_ns == pytest.approx(blocks * length * tally_ns)
    potential = np.concatenate([replica.potential_energies() for replica in job.replicas])
    energy = result.summary.energy_per_ion_kT
    assert energy["potential"] == pytest.approx(
        potential.mean() / job.system.ion_count, abs=0.5 * energy["potential_error"]
    )
    # the pressure comes from the same blocks as the profile
    tally_rows = len(job.replicas[0].tallies[0].series)
    kept = [
        replica.series()[(each % length) * tally_rows :]
        for replica, each in zip(job.replicas, tallies, strict=True)
    ]
    wall = np.concatenate(kept)[:, SERIES.index("left_wall")].mean()
    unit = constants.k * job.system.temperature * 1e21 / job.system.box_length**2
    assert result.summary.pressures_MPa["left"]["pressure"] == pytest.approx(wall * unit)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_run_finished_early_keeps_all_samples_of_its_replicas(hasty, monkeypatch, threads):
    monkeypatch.setattr(engine, "REPORT_SECONDS", 0.0)
    settings = RunSettings(duration_ns=4.0, replicas=2)
    seen = []
    result = run(
        SlitSystem(),
        settings,
        threads=threads,
        on_progress=seen.append,
        should_finish=lambda: bool(seen) and seen[-1].fraction > 0.3,
    )
    requested_at = next(progress.simulated_ns for progress in seen if progress.fraction > 0.3)
    # less than a twentieth, at the start of the replicas, is in no block
    assert 0.95 * requested_at < result.summary.simulated_ns < 0.8 * settings.duration_ns
    assert np.all(np.isfinite(result.positive.error))
    assert result.positive.mean_density == pytest.approx(0.5)


def test_too_large_a_time_step_raises_an_error_with_advice():
    settings = RunSettings(duration_ns=0.01, time_step=0.02, coulomb_split=9)
    with pytest.raises(SimulationError, match="try a smaller time step"):
        run(SlitSystem(positive_valency=3, positive_diameter=0.15), settings)


@pytest.mark.parametrize("duration", [0.001, 0.02, 1.0, 1000.0])
def test_schedule_has_the_requested_duration(duration):
    system, settings = SlitSystem(), RunSettings(duration_ns=duration)
    schedule = Schedule.of(system, settings)
    production = schedule.stages[-1] * schedule.samples_per_tally * settings.steps_per_sample
    simulated = production * settings.time_step * system.time_unit_ns * settings.replicas
    # The shortest run has the least number of blocks.
    assert simulated == pytest.approx(max(duration, 0.0087), rel=0.01)
    assert schedule.stages[-1] <= 400


@pytest.mark.parametrize("diameters", [(0.744, 0.245), (0.245, 0.744)])
def test_ions_of_unequal_size_are_simulated_for_the_same_time_with_shorter_time_steps(diameters):
    settings = RunSettings(duration_ns=5.0)
    unequal = SlitSystem(positive_diameter=diameters[0], negative_diameter=diameters[1])
    larger = SlitSystem(positive_diameter=0.744)
    one, other = (Schedule.of(system, settings) for system in (unequal, larger))
    steps, reference = one.steps(settings), other.steps(settings)
    assert steps / reference == pytest.approx(0.744 / 0.245, rel=0.01)
    equilibration, reference = (each.equilibration_steps(settings) for each in (one, other))
    assert equilibration / reference == pytest.approx(0.744 / 0.245, rel=0.01)
    sampled = one.stages[-1] * one.tally_ns(unequal, settings) * settings.replicas
    assert sampled == pytest.approx(5.0, rel=0.01)


@pytest.mark.parametrize(
    "system",
    [
        SlitSystem(),
        SlitSystem(confinement_length=0.9),
        SlitSystem(3.0, 1, -1, 1.7, 0.714),
        SlitSystem(positive_diameter=0.3, negative_diameter=0.9),
    ],
)
def test_initial_positions_keep_ions_apart_and_away_from_the_walls(system):
    positions = lattice(system, np.random.default_rng(0))
    assert positions.shape == (3, system.ion_count)
    assert np.all(np.abs(positions[2]) <= min(system.contact_planes) + 1e-12)
    displacement = positions[:, :, None] - positions[:, None, :]
    length = system.box_length
    displacement[:2] -= length * np.rint(displacement[:2] / length)
    distance = np.sqrt((displacement**2).sum(axis=0)) + 9 * np.eye(system.ion_count)
    assert distance.min() > 0.6 * np.mean(system.diameters)


@pytest.fixture(scope="module")
def usual():
    return run(SlitSystem(), RunSettings(duration_ns=0.5, seed=5), threads=2)


@pytest.mark.long
@pytest.mark.parametrize("changes", [{"electrostatics": "sheets"}, {"thermostat": "nose-hoover"}])
def test_other_electrostatics_and_thermostats_give_the_same_midplane_density(usual, changes):
    # long enough to determine the temperature to 0.3 %
    other = run(SlitSystem(), RunSettings(duration_ns=1.2, seed=6, **changes), threads=2)
    assert other.summary.checks.temperature == pytest.approx(1, abs=0.01)
    for species in ("positive", "negative"):
        values, errors = (
            [getattr(each.summary, key)[species]["mid"] for each in (usual, other)]
            for key in ("densities_M", "density_errors_M")
        )
        assert abs(values[0] - values[1]) < 4 * np.hypot(*errors) < 0.1 * values[0]


def test_invalid_settings_are_refused():
    for changes in ({"seed": -1}, {"duration_ns": 0}, {"coulomb_split": 2}, {"engine": "magic"}):
        with pytest.raises(InvalidInput):
            RunSettings(**changes)
    assert RunSettings.from_dict(SHORT.to_dict()) == SHORT


def test_default_system_agrees_with_the_published_simulation():
    """Relative L2 error ≤ 1.2 %, all bins within 4 standard errors; averaged over ions χ² ≤ 1.5.

    The published error bars are too small: the two halves of the profile differ by χ² = 2.4, hence
    the factor 1.55. The rows at the contact planes overlap their neighbours and are omitted. Both
    species have the same profile here, but the published ones differ by more than their error bars
    (2 % at the peak), so their average is the more sensitive test.
    """
    table = published("published_md_h3.0_zp1_zn-1_c0.5_d0.714.csv")
    table = table[~np.isclose(np.abs(table["z_nm"]), 1.143)]
    left = (table["z_nm"] < 0) & (table["positive_M"] + table["negative_M"] > 0)
    result = run(SlitSystem(), RunSettings(), threads=2)
    assert result.summary.median_relative_error <= 0.003
    ours, theirs = [], []
    for species, profile in result.profiles.by_species().items():
        # the published bins are not exactly symmetric about the midplane
        density = mirror(rebinned(profile.z, profile.density, table["z_nm"], 0.0357))
        ours.append((density, rebinned(profile.z, profile.error, table["z_nm"], 0.0357)))
        error = 1.55 * np.sqrt(mirror(table[f"{species}_error_M"] ** 2) / 2)
        theirs.append((mirror(table[f"{species}_M"]), error))
        deviation = in_errors(ours[-1], theirs[-1])[left]
        print(f"{species}: reduced χ² {np.mean(deviation**2):.2f}")
        assert np.max(np.abs(deviation)) <= 4
        norm = np.linalg.norm(theirs[-1][0][left])
        assert np.linalg.norm((density - theirs[-1][0])[left]) / norm <= 0.012
    deviation = in_errors(average(ours), average(theirs))[left]
    print(f"average of both: reduced χ² {np.mean(deviation**2):.2f}")
    assert np.mean(deviation**2) <= 1.5


def average(profiles):
    densities, errors = zip(*profiles, strict=True)
    return np.mean(densities, axis=0), np.sqrt(np.mean(np.square(errors), axis=0) / len(errors))


def in_errors(one, other):
    """Return the difference of two (density, error) in standard errors; 0 if both are exact."""
    error = np.hypot(one[1], other[1])
    return (one[0] - other[0]) / np.where(error > 0, error, 1)


def test_pressures_on_both_walls_and_across_the_midplane_are_equal():
    system = SlitSystem(positive_valency=2, salt_concentration=0.9, surface_charge_density=-0.02)
    result = run(system, RunSettings(duration_ns=0.6), threads=2)
    pressures = list(result.summary.pressures_MPa.values())
    for one, other in pairwise(pressures):
        spread = np.hypot(one["error"], other["error"])
        assert spread < 0.05 * one["pressure"]
        assert abs(one["pressure"] - other["pressure"]) < 4 * spread


def test_a_target_error_ends_a_run_as_soon_as_it_has_converged():
    result = run(SlitSystem(), RunSettings(duration_ns=100, target_error=0.015), threads=2)
    assert result.summary.median_relative_error <= 0.015
    assert result.summary.convergence.converged
    short = run(SlitSystem(), RunSettings(duration_ns=0.02, target_error=0.0005), threads=2)
    assert not short.summary.convergence.converged
    assert short.summary.convergence.times_longer > 10


def mirror(values):
    return (values + values[::-1]) / 2


def rebinned(z, density, centres, width):
    """Return averages over other bins of a density that is constant in each bin."""
    step = z[1] - z[0]
    edges = np.append(z - step / 2, z[-1] + step / 2)
    integral = np.append(0, np.cumsum(density) * step)
    upper, lower = (np.interp(centres + side * width / 2, edges, integral) for side in (1, -1))
    return (upper - lower) / width
