"""Models of the tabs Trends, Uncertainty and Runs."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from backend.keeper.election import ensure_keeper
from backend.locks import Lock
from backend.runs.archive import Archive
from backend.runs.run_state import RunState
from nanoconf import Surrogate
from nanoconf.gui import words
from nanoconf.gui.figures.plots import DENSITY, IONS, MD, ML, Z_AXIS, Chart, Curve
from nanoconf.gui.services.answers import Answers
from nanoconf.gui.tabs.registry import RUNS, TRENDS, UNCERTAINTY
from nanoconf.gui.tabs.runs.model import History
from nanoconf.gui.tabs.trends.model import Trends, rounded
from nanoconf.gui.tabs.uncertainty.model import EXACT, UncertainInputs
from nanoconf.surrogate.trends import SimulatedPoint
from tests.support import homes
from tests.support.homes import LONG, QUICK, STEADY, SYSTEM, until


def simulated(work, *runs):
    """Submit the given runs, and return them when they are done."""
    submitted = [work.archive.submit(system, QUICK, owner=owner) for system, owner in runs]
    ensure_keeper(work.archive.home)
    until(lambda: all(run.state == RunState.DONE for run in submitted))
    return submitted


@pytest.fixture
def no_model(monkeypatch):
    """Make the loading of the surrogate fail."""

    def load(_answers):
        raise RuntimeError("the model's files are damaged")

    monkeypatch.setattr(Answers, "surrogate", property(load))


# --- trends ---------------------------------------------------------------------------------


@pytest.fixture
def trends(state, work):
    state.tab = TRENDS
    trends = Trends(state, work)
    state.model = Surrogate.load().card
    until(lambda: trends.trend)
    return trends


def test_a_trend_is_the_prediction_along_an_input(state, trends):
    assert trends.choices == (
        *("confinement_length", "positive_valency", "salt_concentration", "positive_diameter"),
    )
    family, summary = trends.plot().charts
    assert [curve.label for curve in family.curves][::6] == ["c = 0.30 M", "c = 0.90 M"]
    first = Surrogate.load().predict(replace(state.system, salt_concentration=0.3))
    np.testing.assert_allclose(family.curves[0].y, first.positive.density, rtol=1e-5)
    contact = summary.curves[0]
    assert contact.y[0] == pytest.approx(
        first.positive.contact_density(first.system, "positive"), rel=1e-5
    )
    json.loads(trends.plot().as_json())


def test_valencies_vary_in_integer_steps_and_both_diameters_vary_together(state, trends):
    trends.name = "positive_valency"
    until(lambda: trends.trend.name == "positive_valency")
    assert list(trends.trend.values) == [1, 2, 3]
    assert all(isinstance(each.positive_valency, int) for each in trends.trend.systems)
    trends.name = "positive_diameter"
    until(lambda: trends.trend.name == "positive_diameter")
    assert all(each.diameters[0] == each.diameters[1] for each in trends.trend.systems)


def test_a_trend_outside_the_training_range_is_explained(state, trends):
    state.type("confinement_length", "5")
    until(lambda: trends.trend is None)
    assert "it needs h of 3-4 nm" in trends.problem and not trends.plot().curves


def test_without_a_model_the_trends_tab_gives_the_reason(state, work, no_model):
    state.tab = TRENDS
    trends = Trends(state, work)
    assert "loading" in trends.plot().hint
    work.answers.preload()
    until(lambda: trends.version)  # the figure is redrawn
    assert "the model's files are damaged" in trends.plot().hint
    assert "the model's files are damaged" in Trends(state, work).plot().hint


def test_simulations_along_the_trend_are_shown_as_points(state, work):
    other = replace(SYSTEM, salt_concentration=0.8 * SYSTEM.salt_concentration)
    wide = replace(other, confinement_length=1.1 * SYSTEM.confinement_length)
    simulated(work, (SYSTEM, "me"), (other, "you"), (wide, "me"))
    from nanoconf.surrogate.trends import simulated_points

    points = simulated_points(work.archive.runs(), SYSTEM, "salt_concentration")
    assert [point.value for point in points] == [
        other.salt_concentration,
        SYSTEM.salt_concentration,
    ]
    assert points[0].errors["negative"]["contact"] > 0


def test_points_of_unconverged_simulations_are_marked(trends, monkeypatch):
    densities = {ion: dict.fromkeys(("contact", "peak", "mid"), 0.5) for ion in IONS}
    points = (
        SimulatedPoint(0.4, "1", True, densities, densities),
        SimulatedPoint(0.6, "2", False, densities, densities),
        SimulatedPoint(5.0, "3", False, densities, densities),  # outside the range
    )
    monkeypatch.setattr("nanoconf.surrogate.trends.simulated_points", lambda *_: points)
    trends._ask()
    until(lambda: trends.points == points)
    simulated = [curve for curve in trends.plot().charts[1].curves if curve.source == MD]
    assert [(curve.label, list(curve.x), curve.converged) for curve in simulated[:2]] == [
        ("MD, contact", [0.4], True),
        ("MD, contact (not converged)", [0.6], False),
    ]
    assert trends.plot().origin.names == [trends._state.model.name, "1", "2"]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("confinement_length", 3.1666667, "3.17 nm"),
        ("salt_concentration", 0.3, "0.30 M"),
        ("salt_concentration", 0.00123, "0.0012 M"),
        ("positive_diameter", 0.5123456, "0.512 nm"),
        ("positive_valency", 2.0, "2"),
    ],
)
def test_numbers_in_legends_are_rounded(name, value, text):
    assert rounded(name, value) == text


def test_each_point_is_the_longest_simulation_of_its_system(state, work):
    from nanoconf.surrogate.trends import simulated_points

    early = homes.simulated(work.archive.home, STEADY, early=True)
    whole = homes.simulated(work.archive.home, replace(STEADY, duration_ns=0.5))
    (point,) = simulated_points((early, whole), SYSTEM, "salt_concentration")
    mid = whole.result().summary.densities_M["positive"]["mid"]
    assert point.densities["positive"]["mid"] == mid


# --- values at the pointer ------------------------------------------------------------------


def test_a_figure_reports_the_values_at_a_position():
    half = Curve("MD, half a slit", np.array([-1.0, 0.0]), np.array([0.5, 0.7]), MD)
    whole = Curve("ML", np.array([-1.0, 1.0]), np.array([-2.0, 2.0]), ML)
    chart = Chart((half, whole), Z_AXIS, "Density (M)", DENSITY)
    assert chart.reading(-0.5) == "z = −0.500 nm · MD, half a slit 0.6 · ML −1"
    assert chart.reading(0.25) == "z = 0.250 nm · ML 0.5"
    bars = Curve("total", np.array([0.2, 1.2]), np.array([0.9, 0.1]), ML, kind="bars")
    shares = Chart((bars,), "Input", "Share", DENSITY, names=("c", "d"))
    assert [shares.reading(x) for x in (-0.4, 1.3)] == ["c · total 0.9", "d · total 0.1"]


# --- uncertainty ----------------------------------------------------------------------------


@pytest.fixture
def uncertain(state, work):
    state.tab = UNCERTAINTY
    uncertain = UncertainInputs(state, work)
    uncertain.samples = 256
    until(lambda: uncertain.found and uncertain.found.samples == 256)
    return uncertain


def after(uncertain, change):
    """Make a change, and wait for its outcome."""
    before = uncertain.version
    change()
    until(lambda: uncertain.version > before)


def test_the_spread_of_an_output_follows_from_that_of_the_inputs(state, uncertain):
    assert "90 % interval" in uncertain.numbers()
    histogram, indices = uncertain.plot().charts
    width = histogram.curves[0].bar_width
    assert histogram.curves[0].y.sum() * width == pytest.approx(1)
    assert indices.names == ("c", "d") and indices.curves[0].y[0] > 0.9
    uncertain.output, uncertain.z = "negative_density", -1.0
    assert "z = −1.00 nm" in uncertain.plot().charts[0].x_label
    uncertain.over_z = True
    band, shares = uncertain.plot().charts
    assert len(band.curves) == 3 and len(shares.curves) == 4
    assert (band.curves[0].y >= band.curves[2].y).all()
    json.loads(uncertain.plot().as_json())


def test_an_output_that_does_not_vary_is_not_plotted(uncertain):
    uncertain.output = "net_charge_density"  # zero, because the ions differ only in their sign
    for over_z in (False, True):
        uncertain.over_z = over_z
        assert "does not vary" in uncertain.numbers() and not uncertain.plot().curves


def test_the_samples_of_an_input_can_be_shown(uncertain):
    uncertain.output = "salt_concentration"
    assert uncertain.numbers().startswith("Mean 0.5, standard deviation 0.029,")  # 0.05/√3
    histogram, indices = uncertain.plot().charts
    assert histogram.curves[0].x.min() > 0.45 and histogram.curves[0].x.max() < 0.55
    assert indices.curves[0].y == pytest.approx([1, 0], abs=0.01)
    uncertain.output = "confinement_length"
    assert uncertain.numbers().endswith("is exact: it has no samples.")
    assert not uncertain.plot().charts


def test_inputs_that_cannot_be_sampled_are_refused_with_a_reason(state, uncertain):
    after(
        uncertain,
        lambda: setattr(uncertain, "widths", {**uncertain.widths, "salt_concentration": "x"}),
    )
    assert "Salt concentration c, x: the width must be a positive number" in uncertain.numbers()
    after(
        uncertain,
        lambda: setattr(uncertain, "widths", {**uncertain.widths, "salt_concentration": "0.3"}),
    )
    assert "must lie between 0.3 and 0.9 M" in uncertain.numbers()
    after(uncertain, lambda: setattr(uncertain, "kinds", dict.fromkeys(uncertain.kinds, EXACT)))
    assert "All inputs are exact" in uncertain.numbers() and not uncertain.plot().curves
    after(uncertain, lambda: state.type("confinement_length", "6"))
    assert "it needs h of 3-4 nm" in uncertain.numbers()


def test_without_a_model_the_uncertainty_tab_gives_the_reason(state, work, no_model):
    state.tab = UNCERTAINTY
    uncertain = UncertainInputs(state, work)
    until(lambda: uncertain.version)
    assert "the model's files are damaged" in uncertain.numbers()
    assert "the model's files are damaged" in uncertain.plot().hint


# --- runs -----------------------------------------------------------------------------------


def test_runs_can_be_searched_named_compared_cited_opened_and_deleted(state, work):
    other = replace(SYSTEM, salt_concentration=0.8 * SYSTEM.salt_concentration)
    mine, theirs = simulated(work, (SYSTEM, "me"), (other, "you"))
    state.tab = RUNS
    history = History(state, work)
    until(lambda: len(history.entries) == 2)
    history.search = f"DONE {mine.id[:10]}"
    until(lambda: [entry.run_id for entry in history.entries] == [mine.id])
    assert history.entries[0].submitter == "this browser"
    history.search = ""
    history.chosen = (mine.id, theirs.id)
    until(lambda: len(history.results) == 2)
    curves = history.plot().curves
    np.testing.assert_array_equal(curves[1].y, theirs.result().positive.density)
    history.cite()
    assert mine.id in history.citation and f"seed {QUICK.seed}" in history.citation
    assert "wall model: ion, 298 K, relative permittivity 78.5" in history.citation
    assert not history.message

    history.chosen = (mine.id,)
    history.rename("  a fine run ")
    until(lambda: any(entry.name == "a fine run" for entry in history.entries))
    assert work.archive.get(mine.id).name == "a fine run"
    (named,) = history.plot().curves
    assert named.label.startswith(f"a fine run ({mine.id[:8]}): h ")
    assert history.plot().origin.stem("Runs").endswith(f"_{mine.id[:8]}_runs")
    history.open()
    until(lambda: state.simulation)
    assert state.simulation.run_id == mine.id and not state.simulation_stale

    state.tab = RUNS
    history.chosen = (theirs.id,)
    history.delete()
    assert "in the browser that started it" in history.message and theirs.folder.exists()
    history.chosen = (mine.id,)
    history.delete()
    assert "1 run deleted" in history.message
    assert not mine.folder.exists()
    until(lambda: [entry.run_id for entry in history.entries] == [theirs.id])


def test_finished_runs_are_listed_and_cited_with_their_simulated_length(state, work):
    early = homes.simulated(work.archive.home, STEADY, early=True)
    whole = homes.simulated(work.archive.home, replace(STEADY, duration_ns=0.5))
    waits = work.archive.submit(SYSTEM, replace(LONG, target_error=0.01))
    state.tab = RUNS
    history = History(state, work)
    until(lambda: len(history.entries) == 3)
    ns = {run.id: f"{run.result().summary.simulated_ns:.3g} ns" for run in (early, whole)}
    lengths = {entry.run_id: entry.length for entry in history.entries}
    assert lengths == {**ns, waits.id: "until the error is 1 %, at most 100 ns"}
    history.chosen = (early.id,)
    history.cite()
    assert f"; {ns[early.id]} simulated (finished early), 1 replica, seed" in history.citation
    assert "2 ns" not in history.citation.replace(ns[early.id], "")
    history.chosen = (whole.id,)
    history.cite()
    assert f"; {ns[whole.id]} simulated (requested: 0.5 ns), 1 replica" in history.citation
    history.chosen = (waits.id,)
    history.cite()
    assert "; until the error is 1 %, at most 100 ns, 1 replica" in history.citation


@pytest.mark.parametrize("shown", [("1.91 ns", 1.9071), ("1000 ns", 999.96), ("0.02 ns", 0.02)])
def test_a_simulated_time_has_three_significant_digits(shown):
    text, time = shown
    assert words.nanoseconds(time) == text


def test_a_run_in_progress_is_not_deleted(state, work):
    run = work.archive.submit(SYSTEM, LONG, owner="me")
    ensure_keeper(work.archive.home)
    until(lambda: run.state == RunState.RUNNING)
    state.tab = RUNS
    history = History(state, work)
    until(lambda: history.entries)
    history.chosen = (run.id,)
    history.delete()
    assert "cancel it first" in history.message and run.folder.exists()
    # It is still selected, as the list shows.
    history.rename("still going")
    assert run.name == "still going" and "1 run renamed" in history.message
    run.cancel()
    until(lambda: run.finished)


def test_runs_that_are_not_deleted_stay_selected(state, work):
    runs = [work.archive.submit(SYSTEM, replace(LONG, seed=seed), owner="me") for seed in (1, 2)]
    waits, runs_still = runs
    state.tab = RUNS
    history = History(state, work)
    until(lambda: len(history.entries) == 2)
    history.chosen = (waits.id, runs_still.id)
    with Lock(runs_still.folder / "worker.lock"):
        history.delete()
    assert "cancel it first" in history.message
    assert history.chosen == (runs_still.id,) and not waits.folder.exists()
    until(lambda: [entry.run_id for entry in history.entries] == [runs_still.id])
    history.delete()
    assert "1 run deleted" in history.message and history.chosen == ()
    until(lambda: not history.entries)


def test_a_run_deleted_elsewhere_is_removed_from_the_list_and_the_tab_still_works(state, work):
    runs = [work.archive.submit(SYSTEM, replace(LONG, seed=seed)) for seed in (1, 2)]
    gone, left = runs
    state.tab = RUNS
    history = History(state, work)
    until(lambda: len(history.entries) == 2)
    Archive(work.archive.home).get(gone.id).remove()
    history.chosen = (gone.id,)
    until(lambda: [entry.run_id for entry in history.entries] == [left.id])
    assert f"there is no run {gone.id}" in history.message
    for button in (history.open, history.cite, history.delete):
        history.message, history.chosen = "", (gone.id,)
        button()
        assert f"there is no run {gone.id}" in history.message
    assert state.simulation is None and state.tab == RUNS
    history.search = "nothing like it"
    until(lambda: not history.entries)


def test_a_damaged_result_is_reported_and_the_tab_still_works(state, work):
    run = work.archive.submit(SYSTEM, QUICK, owner="me")
    (run.folder / "result.json").write_text("{}")  # and no profiles
    state.tab = RUNS
    history = History(state, work)
    history.chosen = (run.id,)
    until(lambda: "cannot be read" in history.message)
    history.cite()
    assert run.id in history.citation
    history.search = "nothing like it"
    until(lambda: not history.entries)
    assert run.id in history.citation  # reported once, not with every refresh
