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
from nanoconf.gui.status import PREDICTING, current_status
from nanoconf.gui.tabs.profiles.model import density_plot
from tests.support.profiles import prediction, profiles

SYSTEM = SlitSystem()


def line(state) -> tuple[str, str]:
    return state.status, state.mood


def done(system: SlitSystem = SYSTEM, **more) -> Simulation:
    """Return a simulation with a result that has not converged."""
    verdict = Convergence(False, 0.004, 0.005, ["…"], 1.0, {})
    summary = Summary(simulated_ns=4.93, median_relative_error=0.004, convergence=verdict)
    result = SimpleNamespace(summary=summary)
    return Simulation("1", system, RunSettings(), RunState.DONE, result=result, **more)


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
    assert line(state) == ("Correct the salt concentration c to run or predict.", "bad")
    state.type("target_error", "x")
    text = "Correct the salt concentration c and the target error to run or predict."
    assert line(state) == (text, "bad")
    state.type("target_error", "")
    state.type("salt_concentration", "0.7")
    assert line(state) == ("Ready.", "idle")


def test_the_status_line_explains_why_a_cluster_is_not_used(state):
    state.show(done())
    state.cluster_mode, state.cluster_problem = True, "cores = 999: must be at most 16"
    assert line(state) == ("Correct the number of cores or the time limit to run.", "bad")
    state.cluster_problem = ""
    assert state.status.startswith("Done:")


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
    state.show(done())
    text = "Done: 4.93 ns simulated, typical error of the profile 0.4 %, not converged."
    assert line(state) == (f"{text} See Downloads for the files.", "good")
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
    for each in (run, replace(run, where="test", on_cluster="cancelled (job 3)")):
        assert words.status(each) == "Cancelled before it started."
    compiling = replace(run, progress=Progress("compiling", 0.0))
    assert words.status(compiling) == "Cancelled before it started."
    started = replace(run, progress=Progress("equilibrating", 0.1))
    assert words.status(started) == "Cancelled before the first profile."
    sampled = replace(started, profiles=profiles(SlitSystem()))
    assert "The partial profile stays on screen" in words.status(sampled)


def test_inputs_not_shown_on_the_page_are_listed(state):
    state.show(Simulation("1", SlitSystem(wall="plane"), RunSettings()))
    assert state.status.endswith("Inputs not shown on the page: wall model: plane.")
    state.show(Simulation("2", SlitSystem(), RunSettings()))
    assert "no input" not in state.status


def test_a_prediction_during_a_run_does_not_change_the_run_status(state):
    state.show(Simulation("1", SlitSystem(), RunSettings(), state=RunState.RUNNING))
    before = state.status
    state.predicted(prediction(SlitSystem()))
    assert state.status == before


def test_a_failure_stays_until_the_inputs_change(state):
    failed = Simulation("1", SYSTEM, RunSettings(), RunState.FAILED, reason="no memory")
    for fail in (lambda: state.show(failed), lambda: state.report_failure("no memory")):
        fail()
        state.predicted(prediction(SYSTEM), requested=False)
        assert "no memory" in state.status and state.mood == "bad"
        state.type("salt_concentration", "0.6")
        assert line(state) == ("Ready.", "idle")
        state.type("salt_concentration", "0.5")
        assert line(state) == ("Ready.", "idle")
        state.detach()


def test_a_failure_stays_until_the_run_changes(state):
    run = Simulation("1", SYSTEM, RunSettings(), RunState.RUNNING)
    state.show(run)
    state.report_failure("It could not be cancelled.")
    sampling = replace(run, progress=Progress("sampling", 0.3))
    state.show(sampling)
    assert line(state) == ("It could not be cancelled. Simulating: 30 %.", "bad")
    state.show(done())
    assert state.status.startswith("Done") and state.mood == "good"
    state.report_failure("The file could not be created.")
    state.start()
    assert line(state) == ("Starting the simulation …", "busy")


def test_a_prediction_is_reported_only_for_the_inputs_it_was_requested_for(state):
    state.prediction_requested()
    assert line(state) == (PREDICTING, "busy")
    state.predicted(prediction(SYSTEM))
    assert line(state) == ("Predicted the profiles of both ion species in 4 ms.", "good")
    state.type("duration_ns", "7")
    assert state.status.startswith("Predicted")
    state.type("salt_concentration", "90")
    assert state.status.startswith("Correct")
    state.type("salt_concentration", "0.6")
    assert line(state) == ("Ready.", "idle")
    state.predicted(prediction(state.system), requested=False)
    assert line(state) == ("Ready.", "idle")


def test_a_late_refusal_is_not_reported_for_other_inputs(state):
    state.prediction_requested()
    state.type("salt_concentration", "0.6")
    state.not_predicted("No ML prediction here.")
    assert line(state) == ("Ready.", "idle") and not state.predicting


def test_the_later_of_run_and_prediction_is_reported(state):
    state.show(done())
    state.prediction_requested()
    state.predicted(prediction(SYSTEM))
    assert state.status.startswith("Predicted")
    state.start()
    state.show(done())
    assert state.status.startswith("Done:")


def test_a_result_for_different_inputs_is_marked(state):
    state.type("salt_concentration", "0.6")
    state.show(done(stored=True))
    begin = "Stored result, for different inputs: 4.93 ns simulated"
    assert state.status.startswith(begin) and state.mood == "idle"
    state.show(done())
    state.choose(SYSTEM)
    assert state.status.startswith("Done: 4.93 ns") and state.mood == "good"


def test_a_cancelled_run_for_different_inputs_does_not_offer_to_start_over(state):
    run = Simulation("1", SYSTEM, RunSettings(), RunState.CANCELLED, profiles=profiles(SYSTEM))
    run = replace(run, progress=Progress("sampling", 0.1))
    state.show(run)
    assert state.status.endswith("press Run to start over.")
    state.type("salt_concentration", "0.6")
    assert state.status == "Ready."
    state.show(replace(run, run_id="2"))
    assert state.status.endswith("it is for different inputs.")
    state.show(replace(run, run_id="3", state=RunState.RUNNING))
    state.type("salt_concentration", "x")
    state.show(replace(run, run_id="3"))
    assert state.status.startswith("Correct the salt concentration")


def spoken(state) -> str:
    status = current_status(state)
    return status.spoken or status.text


def test_screen_readers_announce_only_phases_and_every_25_percent(state):
    run = Simulation("1", SYSTEM, RunSettings(), RunState.RUNNING)
    heard = []
    reports = [
        Progress(phase, percent / 100, seconds_left=9.0)
        for phase, percents in (("equilibrating", range(10)), ("sampling", range(10, 100)))
        for percent in percents
    ]
    for progress in reports:
        state.show(replace(run, progress=progress))
        if spoken(state) not in heard:
            heard.append(spoken(state))
    assert heard == [
        *("Equilibrating", "Simulating"),
        *("Simulating: 25 %", "Simulating: 50 %", "Simulating: 75 %"),
    ]
    state.show(replace(run, where="test", progress=reports[-1]))
    assert spoken(state) == "On test: simulating: 75 %"
    state.show(done())
    assert spoken(state) == state.status
