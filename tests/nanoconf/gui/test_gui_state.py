"""What the page knows and says, without a browser."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from backend import inputs
from backend.files import write_json
from backend.profiles.bins import bin_centres
from backend.profiles.charge import ChargeProfile
from backend.profiles.density import DensityProfile, SlitProfiles
from backend.runs.archive import Archive
from backend.runs.keeper import ensure_keeper
from backend.runs.run import Run
from backend.runs.state import RunState
from backend.sampling.result import Progress, SimulationResult
from backend.settings import RunSettings
from backend.system import InvalidInput, SlitSystem
from nanoconf.data.plans import PAPER_GRID
from nanoconf.gui import words
from nanoconf.gui.fields import DURATION, FIELDS, system_fields
from nanoconf.gui.inputs import texts_of
from nanoconf.gui.presets import presets
from nanoconf.gui.services.answers import Answers
from nanoconf.gui.services.latest import Latest
from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState, MachineLearning, Simulation
from nanoconf.gui.tabs.downloads import model as files
from nanoconf.gui.tabs.profiles.model import (
    charge_plot,
    density_plot,
    integrated_plot,
    prediction_plot,
)
from nanoconf.surrogate.card import KIND, Card, Metrics
from tests.support.homes import LONG, QUICK, SYSTEM, until

HEAVY = ("tensorflow", "numba", "pandas", "ai_edge_litert", "matplotlib")


def profiles(system: SlitSystem, height: float = 1.0) -> SlitProfiles:
    z = bin_centres(system)
    one = DensityProfile(z, np.full(len(z), height), np.full(len(z), 0.01))
    return SlitProfiles(one, one)


def prediction(system: SlitSystem) -> MachineLearning:
    both = profiles(system)
    return MachineLearning(system, both, ChargeProfile.of(system, both), 0.004)


# --- typing numbers -------------------------------------------------------------------------


def test_the_page_opens_with_the_papers_defaults(state):
    assert state.valid and not state.problems
    assert state.system == SlitSystem()
    assert state.settings.duration_ns == 5.0
    assert state.texts["confinement_length"] == "3.00"
    assert state.texts["positive_diameter"] == "0.714"
    assert state.tab == "Prediction Graph"


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("typed", ["abc", "", "  ", "1e999", "nan", "inf", "1_0", "0x1", "1,000.5"])
def test_what_is_no_number_is_refused_and_stays_as_typed(state, name, typed):
    state.type(name, typed)
    assert state.texts[name] == typed
    if not typed.strip() and FIELDS[name].default is None:
        assert state.valid and state.values[name] is None
        return
    assert not state.valid
    message = state.problems[name]
    assert "\n" not in message
    assert FIELDS[name].title in message and FIELDS[name].allowed in message
    assert typed.strip() in message


@pytest.mark.parametrize("field", system_fields(), ids=lambda field: field.name)
def test_ninety_is_refused_with_what_is_allowed(state, field):
    state.type(field.name, "90")
    assert state.problems == {field.name: f"{field.title} = 90: {field.allowed}"}


def test_every_range_is_the_engines_and_names_its_bounds_and_unit():
    for field in system_fields():
        assert (field.low, field.high) == (
            inputs.SYSTEM[field.name].low,
            inputs.SYSTEM[field.name].high,
        )
    assert FIELDS["confinement_length"].allowed == "must be a number between 0.6 and 30 nm"
    assert FIELDS["positive_valency"].allowed == "must be 1, 2 or 3"
    assert FIELDS["negative_valency"].allowed == "must be −3, −2 or −1"
    assert FIELDS["positive_diameter"].allowed == "must be a number between 0.1 and 2.0 nm"
    assert FIELDS["negative_diameter"].allowed.endswith(", or nothing")


@pytest.mark.parametrize("field", system_fields(), ids=lambda field: field.name)
def test_a_slider_spans_the_range_and_stops_at_every_step_of_the_papers_grid(field):
    positions = field.positions
    assert (positions[0], positions[-1]) == (field.low, field.high)
    assert list(positions) == sorted(set(positions))
    for value in PAPER_GRID.get(field.name, ()):
        assert positions[field.position(value)] == pytest.approx(value)
    for value in positions:
        assert field.parse(field.text(value)) == pytest.approx(value)


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("salt_concentration", "0,5", 0.5),
        ("salt_concentration", " .5 ", 0.5),
        ("confinement_length", "3.", 3.0),
        ("confinement_length", "3,25e0", 3.25),
        ("positive_valency", "2.0", 2),
        ("negative_valency", "−1", -1),
        ("negative_valency", "-1", -1),
        ("duration_ns", "0.01", 0.01),
    ],
)
def test_numbers_are_read_as_people_write_them(state, name, typed, value):
    state.type(name, typed)
    assert state.valid, state.problems
    assert state.values[name] == value
    assert state.texts[name] == typed


def test_a_valency_is_a_whole_number(state):
    state.type("positive_valency", "1,5")
    assert "must be 1, 2 or 3" in state.problems["positive_valency"]


def test_both_ends_of_every_range_are_allowed(state):
    for name, field in FIELDS.items():
        for value in (field.low, field.high):
            state.type(name, field.text(value))
            assert state.values[name] == value


def test_what_the_page_writes_is_read_back_exactly():
    for field in (field for field in FIELDS.values() if not field.whole):
        for value in np.linspace(field.low, field.high, 7):
            assert field.parse(field.text(value)) == pytest.approx(value, rel=1e-5)
    assert DURATION.text(0.02) == "0.02" and DURATION.text(5.0) == "5.0"


def test_a_long_text_is_clipped_in_the_message_but_not_in_the_field(state):
    state.type("salt_concentration", "x" * 500)
    assert len(state.problems["salt_concentration"]) < 120
    assert len(state.texts["salt_concentration"]) == 500


def test_what_only_the_engine_objects_to_stands_beside_the_number(state, monkeypatch):
    def refuse(**_inputs):
        raise InvalidInput("salt_concentration", 0.9, "the ions would fill the slit")

    monkeypatch.setattr("nanoconf.gui.inputs.SlitSystem", refuse)
    state.type("salt_concentration", "0.9")
    assert state.problems == {
        "salt_concentration": "Salt concentration c = 0.90: the ions would fill the slit"
    }


def test_the_status_line_says_why_the_buttons_are_off(state):
    state.type("salt_concentration", "90")
    text, mood = state.status_line
    assert "Salt concentration c" in text and mood == "bad"
    state.type("salt_concentration", "0.7")
    assert state.status_line == ("Ready.", "idle")


def test_remembered_texts_come_back_and_rubbish_does_not(state):
    state.restore({"salt_concentration": "0.6", "confinement_length": "oops", "evil": 1})
    assert state.values["salt_concentration"] == 0.6
    assert "confinement_length" in state.problems
    assert "evil" not in state.texts


# --- what is shown belongs to which inputs --------------------------------------------------


def test_results_turn_stale_with_the_inputs_and_fresh_again(state):
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


def test_density_tabs_show_both_and_the_prediction_graph_both_ions(state):
    system = SlitSystem()
    for plot in (density_plot(state, "positive"), prediction_plot(state)):
        assert not plot.curves and plot.hint
    state.show(Simulation("1", system, RunSettings(), profiles=profiles(system)))
    state.predicted(prediction(system))
    assert [curve.source for curve in density_plot(state, "negative").curves] == ["MD", "ML"]
    plot = prediction_plot(state)
    assert [curve.species for curve in plot.curves] == ["positive", "negative"]
    values = json.loads(plot.as_json())[0]
    assert len(values["z_nm"]) == len(values["density_M"]) == len(values["error_M"]) == 300
    assert "300 points" in plot.in_words()


def test_charge_has_errors_only_where_there_are_blocks(state):
    system = SlitSystem(surface_charge_density=-0.01)
    both = profiles(system)
    charge = ChargeProfile.of(system, both)
    state.show(Simulation("1", system, RunSettings(), profiles=both, charge=charge))
    (curve,) = charge_plot(state).curves
    assert curve.error is None and not charge_plot(state).charts[0].from_zero
    json.loads(integrated_plot(state).as_json())


def test_a_figure_is_had_as_numbers_and_as_a_picture(state):
    state.predicted(prediction(SlitSystem()))
    plot = prediction_plot(state)
    rows = files.figure_file(plot, "csv").decode().splitlines()
    assert rows[0] == "curve,z_nm,density_M,error_M" and len(rows) == 601
    assert files.figure_file(plot, "png").startswith(b"\x89PNG")
    assert b"<svg" in files.figure_file(plot, "svg")


def test_every_preset_can_be_simulated_and_sets_the_inputs(state):
    for preset in presets():
        state.choose(preset.system)
        assert state.valid and state.system == preset.system
    state.choose(SlitSystem())
    assert state.texts["negative_diameter"] == ""


# --- what is going on, in words -------------------------------------------------------------


def test_the_status_line_follows_a_run(state):
    state.start()
    assert state.simulating and "Starting" in state.status
    assert state.tab == "Positive Ion Density"
    run = Simulation("abcdef0123", SlitSystem(), RunSettings())
    state.show(run)
    assert not state.starting and state.simulating
    assert "Waiting for a free processor" in state.status
    state.show(replace(run, state=RunState.RUNNING, progress=Progress("compiling", 0.0)))
    assert "Preparing" in state.status
    sampling = Progress("sampling", 0.62, seconds_left=5.0, median_relative_error=0.0132)
    state.show(replace(run, state=RunState.RUNNING, progress=sampling))
    assert state.status == "Simulating: 62 %, converged to 1.3 % so far, about 5 s left."
    summary = {"median_relative_error": 0.004, "convergence": {"converged": False}}
    state.show(replace(run, state=RunState.DONE, result=SimpleNamespace(summary=summary)))
    assert "typical error of the profile 0.4 %" in state.status and state.mood == "good"
    summary["convergence"]["converged"] = True
    assert "converged to 0.4 %" in words.status(state.simulation)
    assert not state.simulating
    assert any("h 3 nm, 1:−1, 0.5 M, d 0.714 nm, 5 ns" in line for line in state.log)


def test_only_what_was_done_before_is_called_stored(state):
    result = SimpleNamespace(summary={})
    run = Simulation(
        "1", SlitSystem(), RunSettings(), state=RunState.DONE, joined=True, result=result
    )
    assert words.status(run).startswith("Done")  # joined while it ran
    assert "archive already" not in words.milestone(run)
    assert words.status(replace(run, stored=True)).startswith("Stored result")
    assert "archive already" in words.milestone(replace(run, stored=True))


def test_a_failed_run_says_why(state):
    run = Simulation(
        "1", SlitSystem(), RunSettings(), state=RunState.FAILED, reason="try a smaller step"
    )
    state.show(run)
    assert "try a smaller step" in state.status and state.mood == "bad"


def test_a_system_is_described_with_all_that_is_not_the_default():
    assert words.describe(SlitSystem()) == "h 3 nm, 1:−1, 0.5 M, d 0.714 nm"
    other = SlitSystem(wall="plane", temperature=310, relative_permittivity=80, negative_ions=424)
    said = "wall plane, 310 K, permittivity 80, 424 negative ions"
    assert words.describe(other) == f"h 3 nm, 1:−1, 0.5 M, d 0.714 nm, {said}"
    full = words.describe(SlitSystem(), full=True)
    assert full == "h 3 nm, 1:−1, 0.5 M, d 0.714 nm, wall ion, 298 K, permittivity 78.5"
    assert {each.name for each in fields(SlitSystem)} <= {*FIELDS, *words.WITHOUT_FIELD}


def test_a_system_that_the_inputs_cannot_express_is_said_to_be_one(state):
    state.show(Simulation("1", SlitSystem(wall="plane"), RunSettings()))
    assert state.status.endswith("The page has no input for: wall plane.")
    state.show(Simulation("2", SlitSystem(), RunSettings()))
    assert "no input" not in state.status


def test_a_prediction_during_a_run_leaves_the_status_to_the_run(state):
    state.show(Simulation("1", SlitSystem(), RunSettings(), state=RunState.RUNNING))
    before = state.status
    state.predicted(prediction(SlitSystem()))
    assert state.status == before


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (13.7, "14 s"), (600, "10 min"), (9000, "2.5 h")]
)
def test_times_are_no_more_exact_than_they_are_known(seconds, text):
    assert words.duration(seconds) == text


# --- working --------------------------------------------------------------------------------


def test_what_fails_is_told_and_what_is_asked_for_next_is_done():
    done: list[int] = []
    told: list[Exception] = []

    def action(number: int) -> None:
        if number == 1:
            raise LookupError("not the first")
        done.append(number)

    with ThreadPoolExecutor(1) as executor:
        latest = Latest(executor, action, told.append)
        latest.ask(1)
        until(lambda: told)
        latest.ask(2)
        until(lambda: done)
    assert [str(error) for error in told] == ["not the first"] and done == [2]


def test_the_estimate_follows_the_inputs(state, work):
    short = state.estimate
    state.type("duration_ns", "50")
    assert state.estimate > 5 * short
    state.type("duration_ns", "abc")
    assert state.estimate is None


def test_cluster_mode_says_what_to_configure_and_stays_off(state, work, monkeypatch, tmp_path):
    monkeypatch.delenv("NANOCONF_CLUSTER_CONFIG", raising=False)
    work.cluster_mode(True)
    assert not state.cluster_mode
    assert "NANOCONF_CLUSTER_CONFIG" in state.cluster_note
    monkeypatch.setenv("NANOCONF_CLUSTER_CONFIG", str(tmp_path / "missing.toml"))
    work.cluster_mode(True)
    assert "no such file" in state.cluster_note
    work.cluster_mode(False)
    assert not state.cluster_note


def small(state: AppState, monkeypatch: pytest.MonkeyPatch, settings: RunSettings) -> None:
    """Make the page ask for a run that is over at once, or never."""
    monkeypatch.setattr(AppState, "system", SYSTEM)
    monkeypatch.setattr(AppState, "settings", settings)


def test_a_run_goes_to_the_archive_and_comes_back_with_its_files(state, work, monkeypatch):
    small(state, monkeypatch, QUICK)
    work.run()
    until(lambda: state.simulation and not state.simulating)
    assert state.simulation.state == RunState.DONE, state.log
    (run,) = work.archive.runs()
    assert run.request["owner"] == "me"
    expected = run.result().profiles.files()
    assert {name: state.simulation.files[name] for name in expected} == expected
    about = json.loads(state.simulation.files["run.json"])
    assert about["id"] == run.id and about["summary"] == run.result().summary
    assert state.worker_log


def test_a_stored_result_is_shown_at_once(state, work, monkeypatch):
    small(state, monkeypatch, QUICK)
    work.run()
    until(lambda: not state.simulating and "Done" in state.status)
    assert not state.simulation.stored
    work.run()
    until(lambda: not state.simulating and "Stored" in state.status)
    assert state.simulation.stored and state.simulation.joined
    assert len(work.archive.runs()) == 1


def test_cancel_ends_the_run_and_says_so(state, work, monkeypatch):
    small(state, monkeypatch, LONG)
    work.run()
    until(lambda: state.simulation and state.simulation.state == RunState.RUNNING)
    work.cancel()
    assert state.cancelling
    until(lambda: not state.simulating and "Cancelled" in state.status)  # said last
    assert state.simulation.state == RunState.CANCELLED


def test_another_page_of_this_browser_finds_its_run_again(state, work, monkeypatch):
    small(state, monkeypatch, LONG)
    work.run()
    until(lambda: state.simulation and state.simulation.state == RunState.RUNNING)
    run_id = state.simulation.run_id
    work.close()
    fresh = AppState()
    again = Work(fresh, work.archive)
    again.owner = "me"
    again.resume("", predicted=False)
    until(lambda: fresh.simulation and fresh.simulation.state == RunState.RUNNING)
    assert fresh.simulation.run_id == run_id and fresh.simulation.mine
    again.cancel()
    until(lambda: not fresh.simulating)
    again.close()


def test_a_strangers_run_is_offered_and_ended_only_when_asked_twice(state, work, monkeypatch):
    run = work.archive.submit(SYSTEM, LONG, owner="somebody else")
    work.resume("", predicted=False)
    (offer,) = work.offers()
    assert offer.run_id == run.id
    assert state.simulation is None
    work.attach(run.id)
    going = ("Preparing", "Equilibrating", "Simulating")
    until(lambda: state.simulation and state.status.startswith(going))  # said last
    assert work.offers() == ()
    work.cancel()
    assert state.confirm_cancel and "once more" in state.status and not run.cancel_requested
    state.show(replace(state.simulation, progress=Progress("equilibrating", 0.1)))
    assert "once more" in state.status
    work.leave()
    assert not state.simulating and not run.finished
    work.attach(run.id)
    until(lambda: state.simulation and state.simulation.active)
    work.cancel()
    work.cancel()
    until(lambda: not state.simulating)
    assert run.state == RunState.CANCELLED


def test_a_home_that_cannot_be_written_is_told_in_words(state, tmp_path):
    blocked = tmp_path / "a file"
    blocked.write_text("")
    work = Work(state, Archive(blocked))
    work.run()
    until(lambda: state.mood == "bad")
    assert "NANOCONF_HOME" in state.status and not state.simulating
    work.close()


class Surrogate:
    """Knows systems up to 0.8 M, and is as slow as it is told to be."""

    card = Card("1", KIND, "", metrics=Metrics("1", "", 1, 0.01, 0.02, {}, {}))

    class learnt:
        @staticmethod
        def problems(system):
            if system.salt_concentration <= 0.8:
                return []
            learnt = "must lie between 0.3 and 0.8 M, the range that the surrogate has learnt"
            return [InvalidInput("salt_concentration", system.salt_concentration, learnt)]

    def __init__(self):
        self.asked = []
        self.may_answer = threading.Event()
        self.may_answer.set()

    def predict(self, system):
        self.asked.append(system)
        self.may_answer.wait()
        return SimpleNamespace(profiles=profiles(system))


def test_predicting_answers_or_says_what_the_model_has_not_learnt(state, work, monkeypatch):
    monkeypatch.setattr(Answers, "surrogate", Surrogate())
    work.answers.preload()
    work.answers.predict()
    until(lambda: state.prediction)
    assert state.prediction.system == SlitSystem()
    assert set(files.predicted_files(state)) >= {"ml_positive_density.csv", "ml_charge.csv"}
    assert state.model.name == "1"
    state.type("salt_concentration", "0.9")
    until(lambda: state.unlearnt)
    assert state.prediction is None and state.mood != "bad"  # nobody has asked
    work.answers.predict()
    until(lambda: state.mood == "bad")
    assert "c = 0.90 M must lie between 0.3 and 0.8 M" in state.status and not state.predicting
    state.type("salt_concentration", "0.8")
    until(lambda: state.prediction and not state.unlearnt)


def test_the_prediction_follows_the_inputs_and_skips_what_was_overtaken(state, work, monkeypatch):
    surrogate = Surrogate()
    surrogate.may_answer.clear()
    monkeypatch.setattr(Answers, "surrogate", surrogate)
    for i in range(40):
        state.type("salt_concentration", f"{0.3 + 0.01 * i:.2f}")
    surrogate.may_answer.set()
    until(lambda: state.prediction and state.prediction.system == state.system)
    assert state.prediction.system.salt_concentration == 0.69
    assert len(surrogate.asked) <= 2


def test_a_stored_result_appears_with_its_inputs_and_turns_stale_without(state, work, monkeypatch):
    run = work.archive.submit(SYSTEM, QUICK, owner="somebody else")
    ensure_keeper(work.archive.home)
    until(lambda: run.state == RunState.DONE)
    state.choose(SYSTEM)
    until(lambda: state.simulation and "Stored result" in state.status)  # said last
    assert state.simulation.stored and state.simulation.run_id == run.id
    assert not state.simulation_stale
    state.type("salt_concentration", "0.77")
    assert state.simulation_stale
    state.choose(SYSTEM)
    assert not state.simulation_stale


def stored(archive: Archive, owner: str = "somebody else") -> Run:
    """A run of `SYSTEM` that is done, with a profile that nobody has simulated."""
    run = archive.submit(SYSTEM, QUICK, owner=owner)
    SimulationResult(SYSTEM, QUICK, profiles(SYSTEM)).save(run.folder)
    write_json(run.folder / "result.json", {"summary": {}})
    return run


def test_a_page_that_opens_shows_the_stored_result_of_the_inputs_it_opens_with(
    state, work, monkeypatch
):
    small(state, monkeypatch, QUICK)
    run = stored(work.archive)
    work.resume("", predicted=False)  # no input has changed
    until(lambda: state.simulation and "Stored result" in state.status)
    assert state.simulation.stored and state.simulation.run_id == run.id


def test_a_run_that_is_opened_is_stored_if_it_is_done(state, work):
    run = stored(work.archive)
    work.attach(run.id)
    until(lambda: state.simulation and "Stored result" in state.status)
    assert state.simulation.stored and not state.simulation.joined


class Page:
    """A page whose main thread is the test's: what is posted to it waits until it is let.

    Attributes
    ----------
    waiting : list of callable
        What is posted, and not yet done.
    """

    def __init__(self, state: AppState, home: Path):
        self.waiting: list[Callable[[], None]] = []
        self.work = Work(state, Archive(home), post=self.waiting.append)
        self.work.owner = "me"

    def until(self, condition: Callable[[], object]) -> None:
        """Do what is posted until something is so."""

        def so() -> object:
            while self.waiting:
                self.waiting.pop(0)()
            return condition()

        until(so)


@pytest.fixture
def page(state, home):
    page = Page(state, home)
    yield page
    page.work.close()


@pytest.fixture
def no_keeper(monkeypatch):
    """Nobody begins what waits."""
    monkeypatch.setattr("backend.runs.keeper.ensure_keeper", lambda _home: None)


def test_a_stored_result_comes_back_after_a_run_that_brought_none(state, page):
    run = stored(page.work.archive)
    for end in (RunState.CANCELLED, RunState.FAILED):
        state.type("salt_concentration", "0.77")
        state.show(Simulation("1", SYSTEM, LONG, state=end, profiles=profiles(SYSTEM)))
        state.choose(SYSTEM)
        assert not state.simulation_stale
        page.until(lambda: state.simulation.run_id == run.id)
        assert state.simulation.stored


def with_a_stored_result_and_a_run(state: AppState, page: Page) -> Run:
    """The page is loaded again while its run goes on; another result of the inputs is stored."""
    stored(page.work.archive, owner="me")
    run = page.work.archive.submit(SYSTEM, LONG, owner="me")
    state.restore(texts_of(SYSTEM))
    page.work.resume(run.id, predicted=False)
    # The main thread is busy until the result is found and the run has been looked at.
    until(lambda: len(page.waiting) > 8)
    page.until(lambda: state.simulation.active)
    assert state.simulation.run_id == run.id
    return run


def test_cancel_ends_the_run_on_screen_though_a_result_is_stored(state, page, no_keeper):
    run = with_a_stored_result_and_a_run(state, page)
    page.work.cancel()
    page.until(lambda: not state.simulating)
    assert run.state == RunState.CANCELLED and "Cancelled" in state.status


def test_finish_ends_the_run_on_screen_though_a_result_is_stored(state, page, no_keeper):
    run = with_a_stored_result_and_a_run(state, page)
    page.work.finish()
    until(lambda: run.finish_requested)


def test_a_run_that_is_deleted_while_it_waits_leaves_a_page_that_can_be_used(
    state, page, no_keeper, monkeypatch
):
    run = page.work.archive.submit(SYSTEM, LONG, owner="me")
    page.work.attach(run.id)
    page.until(lambda: "Waiting for a free processor" in state.status)
    run.remove()
    page.work.cancel()
    page.until(lambda: "has been removed" in state.status)
    assert state.mood == "bad" and not state.simulating and not state.cancelling
    small(state, monkeypatch, LONG)
    page.work.run()
    page.until(lambda: "Waiting for a free processor" in state.status)
    assert state.simulation.run_id != run.id


def test_a_run_that_is_gone_can_be_cancelled_no_more(state, page):
    state.show(Simulation("0" * 32, SYSTEM, LONG))
    page.work.cancel()
    page.until(lambda: not state.cancelling)
    assert "could not be ended: there is no run" in state.status


def test_a_run_that_cannot_be_opened_is_told(state, work):
    work.attach("0" * 32)
    until(lambda: state.mood == "bad")
    assert "cannot be opened: there is no run" in state.status


def test_a_run_that_is_good_enough_ends_with_what_there_is(state, work, monkeypatch):
    settings = replace(LONG, duration_ns=20.0)  # it can end after a tenth of that
    small(state, monkeypatch, settings)
    work.run()
    until(lambda: state.simulation and state.simulation.profiles is not None)
    work.finish()
    assert state.finishing and "Finishing" in state.status
    until(lambda: not state.simulating)
    assert state.simulation.state == RunState.DONE, state.log
    summary = state.simulation.result.summary
    assert 0 < summary["simulated_ns"] < settings.duration_ns
    # It does not answer a request for all of it.
    assert not work.archive.submit(SYSTEM, LONG).joined


def test_a_run_that_waits_says_how_many_wait_before_it(state, work):
    first = work.archive.submit(SYSTEM, replace(LONG, seed=11))
    second = work.archive.submit(SYSTEM, replace(LONG, seed=12))
    third = work.archive.submit(SYSTEM, replace(LONG, seed=13))
    assert [work.archive.ahead_of(run) for run in (first, second, third)] == [0, 1, 2]
    waiting = Simulation(third.id, SYSTEM, LONG, ahead=2)
    assert "2 more before it" in words.status(waiting)


def test_nothing_starts_while_a_number_is_refused(state, work):
    state.type("salt_concentration", "90")
    work.run()
    work.answers.predict()
    assert not state.simulating and not state.predicting and work.archive.runs() == []


# --- importing ------------------------------------------------------------------------------


def test_the_page_is_up_before_anything_heavy_is_imported():
    code = (
        "import sys, nanoconf.gui.app\n"
        "from nanoconf.gui.state import AppState\n"
        "from nanoconf.gui.services.work import Work\n"
        "Work(AppState()).close()\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.strip() == "[]", answer.stdout + answer.stderr
