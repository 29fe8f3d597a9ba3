"""Length of the equilibration: the rule, from synthetic series and in the engine."""

import itertools
from functools import partial

import numpy as np
import pytest

from backend.engines.numba import engine
from backend.engines.numba.engine import run
from backend.sampling import equilibration, schedule
from backend.sampling.convergence import evaluate
from backend.sampling.equilibration import LONGEST, SLOW, Measured, expected, longer
from backend.sampling.result import Cancelled
from backend.settings import RunSettings
from backend.system import SlitSystem
from benchmarks.studies import starts

SHORT = RunSettings(duration_ns=0.005, replicas=2)


def relaxing(rows, time, seed=1):
    """Return three series: white noise, and in the middle one that forgets over `time` rows."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((rows, len(SLOW)))
    memory = np.exp(-1 / time)
    slow = noise[:, 1].copy()
    for i in range(1, rows):
        slow[i] = memory * slow[i - 1] + np.sqrt(1 - memory**2) * noise[i, 1]
    noise[:, 1] = slow
    return noise


def final_length(shortest, series):
    """Return the number of rows at which a run with these series stops equilibrating."""
    rows = shortest
    while not Measured.of([each[:rows] for each in series]).sufficient:
        rows = longer(rows, shortest)
    return rows


@pytest.mark.parametrize("time", [1, 5, 30, 100])
def test_equilibration_lasts_at_least_ten_relaxation_times(time):
    for seed in range(5):
        series = [relaxing(20_000, time, seed=2 * seed + replica) for replica in range(2)]
        rows = final_length(1000, series)
        assert rows >= 10 * time
        assert rows == 1000 or time > 10, "a fast system needs the shortest equilibration only"


def test_a_slow_drift_extends_the_equilibration_until_it_has_ended():
    series = relaxing(20_000, 3)
    series[:, 2] += 20 * np.exp(-np.arange(20_000) / 300)
    assert final_length(1000, [series]) >= 3000


def test_the_slowest_series_decides():
    measured = Measured.of([relaxing(5000, 50), relaxing(5000, 50, seed=2)])
    assert measured.times["middle"] == pytest.approx(50, rel=0.5)
    assert measured.times["dipole"] < 2 and measured.times["contact"] < 2
    assert measured.lengths == pytest.approx(5000 / measured.times["middle"])


def test_lengths_grow_in_steps_up_to_a_limit():
    lengths = [50]
    while following := longer(lengths[-1], 50):
        lengths.append(following)
    assert lengths[1] == 75
    assert 0.6 * LONGEST * 50 < lengths[-1] <= LONGEST * 50


def test_the_expected_length_grows_with_the_width_of_the_slit():
    assert expected(SlitSystem(), 50) == 50
    assert expected(SlitSystem(4.0, 3, -1, 0.3, 0.5), 50) == 50
    wide = expected(SlitSystem(5.0, 1, -1, 0.1, 0.2), 50)
    assert 100 < wide < 250
    assert expected(SlitSystem(5.0, 1, -1, 0.1, 0.2, 0.6), 50) < wide
    assert expected(SlitSystem(30.0, 1, -1, 0.01, 0.2), 50) == 50 * LONGEST


def test_archive_keys_change_only_where_results_may_differ_from_those_of_an_earlier_version():
    paper = itertools.product((3.0, 4.0), (1, 2, 3), (0.3, 0.9), (0.5, 0.75))
    for width, valency, concentration, diameter in paper:
        system = SlitSystem(width, valency, -1, concentration, diameter)
        assert system.key() == system.to_dict()
    slow, averaged = {"equilibration": "measured"}, {"contact_forces": "averaged"}
    for system, added in (
        (SlitSystem(5.0, 1, -1, 0.1, 0.2), slow),
        (SlitSystem(3.0, 3, -2, 0.3, 0.6), slow | averaged),
        (SlitSystem(surface_charge_density=-0.03), {}),
        (SlitSystem(surface_charge_density=-0.1), averaged),
    ):
        assert system.key() == system.to_dict() | added


@pytest.fixture
def demanding(monkeypatch):
    """Require an equilibration that is several times longer than the shortest one."""
    monkeypatch.setattr(schedule, "EQUILIBRATION_TIME", 4.0)
    monkeypatch.setattr(equilibration, "MEASURED_TIMES", 30.0)


def test_a_run_that_needs_it_equilibrates_for_longer_and_says_so(demanding):
    seen = []
    summary = run(SlitSystem(), SHORT, threads=1, on_progress=seen.append).summary
    found = summary.equilibration
    assert found.duration_tau > 5
    assert found.lengths >= 30
    assert found.lengths == pytest.approx(
        found.duration_tau / max(found.relaxation_times_tau.values())
    )
    assert set(found.relaxation_times_tau) == set(SLOW)
    assert found.duration_ns == pytest.approx(found.duration_tau * SlitSystem().time_unit_ns)
    sampled = summary.simulated_ns / SlitSystem().time_unit_ns
    total = summary.timings.steps * SHORT.time_step
    assert total == pytest.approx(2 * found.duration_tau + sampled)
    assert seen[-1].fraction <= 1


def test_a_run_interrupted_while_it_equilibrates_has_the_same_result(
    demanding, tmp_path, monkeypatch
):
    expected = run(SlitSystem(), SHORT)
    monkeypatch.setattr(engine, "WATCH_SECONDS", 0.001)
    found, interruptions = None, 0
    while found is None:
        polls = iter([False] * (1 + interruptions) + [True])  # each attempt lasts longer
        stopped = partial(next, polls, True)
        try:
            found = run(SlitSystem(), SHORT, checkpoint=tmp_path / "run", should_stop=stopped)
        except Cancelled:
            interruptions += 1
    assert interruptions > 2
    assert np.array_equal(found.positive.density, expected.positive.density)
    assert found.summary.equilibration == expected.summary.equilibration
    assert found.summary.timings.steps == expected.summary.timings.steps


@pytest.mark.long
@pytest.mark.parametrize("name", starts.SYSTEMS)
def test_runs_from_the_walls_and_from_the_middle_agree(name):
    for found in starts.compare(name, starts.SYSTEMS[name]):
        print(f"{name}, {found.species}: reduced χ² {found.chi_square:.2f}")
        assert found.chi_square < 5  # of two to four independent numbers
        for start, relaxation in found.relaxation_tau.items():
            assert found.equilibration_tau[start] >= equilibration.MEASURED_TIMES * relaxation


@pytest.mark.long
def test_runs_from_the_walls_and_from_the_middle_differ_without_equilibration(monkeypatch):
    """The comparison detects an equilibration that is too short."""
    monkeypatch.setattr(schedule, "EQUILIBRATION_TIME", 2.0)
    monkeypatch.setattr(equilibration, "MEASURED_TIMES", 0.0)
    monkeypatch.setattr(starts, "PRODUCTION", 20.0)
    name = "1:−1, 5 nm, 0.1 M, d 0.2 nm"
    for found in starts.compare(name, starts.SYSTEMS[name]):
        assert found.chi_square > 5


def test_equilibration_ends_at_its_maximum_length(demanding, monkeypatch):
    monkeypatch.setattr(equilibration, "MEASURED_TIMES", 1e9)
    monkeypatch.setattr(equilibration, "LONGEST", 3)
    found = run(SlitSystem(), SHORT).summary.equilibration
    assert found.lengths < 1e9
    assert found.duration_tau < 3 * 4.1


def test_a_run_whose_equilibration_is_too_short_has_not_converged(demanding):
    result = run(SlitSystem(), SHORT)
    job = engine._Run(SlitSystem(), SHORT)
    for replica in job.replicas:
        job.equilibrate(replica)
        job.sample(20, replica)
    series = [replica.series() for replica in job.replicas]
    for rows, too_short in ((1, True), (100_000, False)):
        reasons = evaluate(job.samples(), result.profiles, series, 0.5, rows).reasons
        assert any("equilibration spans only" in reason for reason in reasons) is too_short
