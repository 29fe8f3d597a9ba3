"""State of the page: stale results and the status line."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

from backend.runs.run_state import RunState
from backend.sampling.result import Progress
from backend.sampling.summary import Convergence, Summary
from backend.settings import RunSettings
from backend.system import SlitSystem
from nanoconf.gui import words
from nanoconf.gui.state import Simulation
from nanoconf.gui.tabs.profiles.model import (
    density_plot,
)
from tests.support.profiles import prediction, profiles


def test_results_become_stale_when_inputs_change_and_current_when_they_are_changed_back(state):
    system = SlitSystem()
    state.show(
        Simulation("1", system, RunSettings(), state=RunState.DONE, profiles=profiles(system))
    )
    state.predicted(prediction(system))
    assert not state.simulation_stale and not state.prediction_stale
    state.type("salt_concentration", "0.6")
    assert state.simulation_stale and state.prediction_stale
    assert all(curve.stale for curve in density_plot(state, "positive").curves)
    state.type("salt_concentration", "abc")
    assert state.simulation_stale and state.prediction_stale
    state.type("salt_concentration", "0,50")
    assert not state.simulation_stale and not state.prediction_stale


def test_the_status_line_explains_why_the_buttons_are_off(state):
    state.type("salt_concentration", "90")
    assert state.status_line == ("Correct the salt concentration c to run or predict.", "bad")
    state.type("target_error", "x")
    text = "Correct the salt concentration c and the target error to run or predict."
    assert state.status_line == (text, "bad")
    state.type("target_error", "")
    state.type("salt_concentration", "0.7")
    assert state.status_line == ("Ready.", "idle")


def test_the_status_line_follows_a_run(state):
    state.start()
    assert state.simulating and "Starting" in state.status
    assert state.tab == "Positive Ion Density"
    run = Simulation("abcdef0123", SlitSystem(), RunSettings())
    state.show(run)
    assert state.phase == "active" and state.simulating
    assert "Waiting for a free processor" in state.status
    state.show(replace(run, state=RunState.RUNNING, progress=Progress("compiling", 0.0)))
    assert "Preparing" in state.status
    sampling = Progress("sampling", 0.62, seconds_left=5.0, median_relative_error=0.0132)
    state.show(replace(run, state=RunState.RUNNING, progress=sampling))
    assert state.status == "Simulating: 62 %, typical error 1.3 % so far, about 5 s left."
    verdict = Convergence(False, 0.004, 0.005, [], 1.0, {})
    summary = Summary(median_relative_error=0.004, convergence=verdict)
    over = replace(run, state=RunState.DONE, result=SimpleNamespace(summary=summary))
    state.show(over)
    assert "typical error of the profile 0.4 %" in state.status and state.mood == "good"
    summary = replace(summary, convergence=replace(verdict, converged=True))
    assert "converged to 0.4 %" in words.status(
        replace(over, result=SimpleNamespace(summary=summary))
    )
    assert not state.simulating
    assert any("h 3 nm, 1:−1, 0.5 M, d 0.714 nm, 5 ns" in line for line in state.log)


def test_a_failed_run_shows_its_reason(state):
    run = Simulation(
        "1", SlitSystem(), RunSettings(), state=RunState.FAILED, reason="try a smaller step"
    )
    state.show(run)
    assert "try a smaller step" in state.status and state.mood == "bad"


def test_a_cancelled_run_shows_how_far_it_got(state):
    run = Simulation("1", SlitSystem(), RunSettings(), state=RunState.CANCELLED)
    assert words.status(run) == "Cancelled before it started."
    started = replace(run, progress=Progress("equilibrating", 0.1))
    assert words.status(started) == "Cancelled before the first profile."
    sampled = replace(started, profiles=profiles(SlitSystem()))
    assert "The partial profile stays on screen" in words.status(sampled)


def test_properties_without_an_input_on_the_page_are_named(state):
    state.show(Simulation("1", SlitSystem(wall="plane"), RunSettings()))
    assert state.status.endswith("Inputs not shown on the page: wall model: plane.")
    state.show(Simulation("2", SlitSystem(), RunSettings()))
    assert "no input" not in state.status


def test_a_prediction_during_a_run_does_not_change_the_run_status(state):
    state.show(Simulation("1", SlitSystem(), RunSettings(), state=RunState.RUNNING))
    before = state.status
    state.predicted(prediction(SlitSystem()))
    assert state.status == before
