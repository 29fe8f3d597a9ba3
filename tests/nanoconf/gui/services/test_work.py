"""Runs of a page: submit, watch, cancel, finish and restore."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from backend.files import write_json
from backend.keeper.election import ensure_keeper
from backend.keeper.open_runs import wait_of
from backend.runs.archive import Archive
from backend.runs.run import Run
from backend.runs.run_state import RunState
from backend.sampling.result import SimulationResult
from backend.settings import RunSettings
from nanoconf.gui import words
from nanoconf.gui.entered_inputs import texts_of
from nanoconf.gui.services.identity import Identity
from nanoconf.gui.services.watch import Watch
from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState, Simulation
from tests.support.homes import LONG, PATIENCE, QUICK, SYSTEM, until
from tests.support.profiles import profiles


def test_the_estimate_follows_the_inputs(state, work):
    short = state.estimate
    state.type("duration_ns", "50")
    assert state.estimate > 5 * short
    state.type("duration_ns", "abc")
    assert state.estimate is None


def test_cluster_mode_without_a_cluster_explains_what_to_configure_and_stays_off(
    state, work, monkeypatch, tmp_path
):
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
    """Make the page submit a small system with the given settings."""
    monkeypatch.setattr(AppState, "system", SYSTEM)
    monkeypatch.setattr(AppState, "settings", settings)


def test_a_run_is_archived_and_its_files_are_available(state, work, monkeypatch):
    small(state, monkeypatch, QUICK)
    work.run()
    until(lambda: state.simulation and not state.simulating)
    assert state.simulation.state == RunState.DONE, state.log
    (run,) = work.archive.runs()
    assert work.owns(run) and "me" not in run.request["owner"]
    expected = run.result().profiles.files()
    assert {name: state.simulation.files[name] for name in expected} == expected
    about = json.loads(state.simulation.files["run.json"])
    assert about["id"] == run.id and about["summary"] == run.result().summary.to_dict()
    assert state.worker_log


def test_a_stored_result_is_reused(state, work, monkeypatch):
    small(state, monkeypatch, QUICK)
    work.run()
    until(lambda: not state.simulating and "Done" in state.status)
    assert not state.simulation.stored
    work.run()
    until(lambda: not state.simulating and "Stored" in state.status)
    assert state.simulation.stored and state.simulation.joined
    assert len(work.archive.runs()) == 1


def test_cancel_ends_the_run(state, work, monkeypatch):
    small(state, monkeypatch, LONG)
    work.run()
    until(lambda: state.simulation and state.simulation.state == RunState.RUNNING)
    work.cancel()
    assert state.phase == "cancelling"
    until(lambda: not state.simulating and "Cancelled" in state.status)  # set last
    assert state.simulation.state == RunState.CANCELLED


def test_another_page_in_the_same_browser_finds_the_run(state, work, monkeypatch):
    small(state, monkeypatch, LONG)
    work.run()
    until(lambda: state.simulation and state.simulation.state == RunState.RUNNING)
    run_id = state.simulation.run_id
    work.close()
    fresh = AppState()
    again = Work(fresh, work.archive)
    again.identity = Identity.of_browser({"owner": "me"})
    again.resume("")
    until(lambda: fresh.simulation and fresh.simulation.state == RunState.RUNNING)
    assert fresh.simulation.run_id == run_id and fresh.simulation.mine
    again.cancel()
    until(lambda: not fresh.simulating)
    again.close()


def test_an_open_page_resumes_the_runs_of_other_browsers_after_a_crash_of_the_keeper(work):
    run = work.archive.submit(SYSTEM, QUICK, owner="somebody else")
    work.watch_archive()
    assert run.wait(PATIENCE) == RunState.DONE


def test_a_run_from_another_browser_is_offered_and_watched_but_not_stopped(state, work):
    run = work.archive.submit(SYSTEM, LONG, owner="somebody else")
    work.resume("")
    (offer,) = work.offers()
    assert offer.run_id == run.id
    assert state.simulation is None
    work.attach(run.id)
    going = ("Preparing", "Equilibrating", "Simulating")
    until(lambda: state.simulation and state.status.startswith(going))  # set last
    assert work.offers() == ()
    for request, done in ((work.cancel, "cancelled"), (work.finish, "finished")):
        request()
        assert f"can be {done} only in the browser that started it." in state.status
        assert state.phase == "active" and not run.cancel_requested and not run.finish_requested
    work.detach()
    assert not state.simulating and not run.finished


def test_an_unwritable_home_is_reported(state, tmp_path):
    blocked = tmp_path / "a file"
    blocked.write_text("")
    work = Work(state, Archive(blocked))
    work.run()
    until(lambda: state.mood == "bad")
    assert "NANOCONF_HOME" in state.status and not state.simulating
    work.close()


def test_a_stored_result_is_shown_for_its_inputs_and_becomes_stale_when_they_change(state, page):
    run = page.work.archive.submit(SYSTEM, QUICK, owner="somebody else")
    ensure_keeper(page.work.archive.home)
    until(lambda: run.state == RunState.DONE)
    state.choose(SYSTEM)
    page.until(lambda: state.simulation and "Stored result" in state.status)
    assert state.simulation.stored and state.simulation.run_id == run.id
    assert not state.simulation_stale
    state.type("salt_concentration", "0.77")
    assert state.simulation_stale
    state.choose(SYSTEM)
    assert not state.simulation_stale


def stored(archive: Archive, owner: str = "somebody else") -> Run:
    """Return a finished run of `SYSTEM` with an artificial profile."""
    run = archive.submit(SYSTEM, QUICK, owner=owner)
    SimulationResult(SYSTEM, QUICK, profiles(SYSTEM)).save(run.folder)
    write_json(run.folder / "result.json", {"summary": {}})
    return run


def test_a_page_opens_with_the_stored_result_for_its_inputs(state, work, monkeypatch):
    small(state, monkeypatch, QUICK)
    run = stored(work.archive)
    work.resume("")  # no input has changed
    until(lambda: state.simulation and "Stored result" in state.status)
    assert state.simulation.stored and state.simulation.run_id == run.id


def test_opening_a_finished_run_shows_a_stored_result(state, work):
    run = stored(work.archive)
    work.attach(run.id)
    until(lambda: state.simulation and "Stored result" in state.status)
    assert state.simulation.stored and not state.simulation.joined


class Page:
    """A page whose main thread is the test's: posted calls wait until the test runs them.

    Attributes
    ----------
    waiting : list of callable
        Posted calls that have not run yet.
    """

    def __init__(self, state: AppState, home: Path):
        self.waiting: list[Callable[[], None]] = []
        self.work = Work(state, Archive(home), post=self.waiting.append)
        self.work.identity = Identity.of_browser({"owner": "me"})

    def until(self, condition: Callable[[], object]) -> None:
        """Run the posted calls until a condition holds."""

        def holds() -> object:
            while self.waiting:
                self.waiting.pop(0)()
            return condition()

        until(holds)


@pytest.fixture
def page(state, home):
    page = Page(state, home)
    yield page
    page.work.close()


@pytest.fixture
def no_keeper(monkeypatch):
    """Keep queued runs from starting."""
    monkeypatch.setattr("backend.keeper.election.ensure_keeper", lambda _home, **_: None)


def test_a_stored_result_is_shown_again_after_a_run_without_a_result(state, page):
    run = stored(page.work.archive)
    for end in (RunState.CANCELLED, RunState.FAILED):
        state.type("salt_concentration", "0.77")
        state.show(Simulation("1", SYSTEM, LONG, state=end, profiles=profiles(SYSTEM)))
        state.choose(SYSTEM)
        assert not state.simulation_stale
        page.until(lambda: state.simulation.run_id == run.id)
        assert state.simulation.stored


def with_a_stored_result_and_a_run(state: AppState, page: Page) -> Run:
    """Reload the page during a run while another result of the inputs is stored."""
    stored(page.work.archive, owner="me")
    run = page.work.archive.submit(SYSTEM, LONG, owner="me")
    state.restore(texts_of(SYSTEM))
    page.work.resume(run.id)
    # The posted calls wait until the result has been found and the run has been read.
    until(lambda: len(page.waiting) > 8)
    page.until(lambda: state.simulation.active)
    assert state.simulation.run_id == run.id
    return run


def test_cancel_stops_the_run_on_screen_even_if_a_result_is_stored(state, page, no_keeper):
    run = with_a_stored_result_and_a_run(state, page)
    page.work.cancel()
    page.until(lambda: not state.simulating)
    assert run.state == RunState.CANCELLED
    assert state.status == "Cancelled before it started."


def test_finish_stops_the_run_on_screen_even_if_a_result_is_stored(state, page, no_keeper):
    run = with_a_stored_result_and_a_run(state, page)
    page.work.finish()
    until(lambda: run.finish_requested)


def test_the_page_remains_usable_after_its_queued_run_is_deleted(
    state, page, no_keeper, monkeypatch
):
    run = page.work.archive.submit(SYSTEM, LONG, owner="me")
    page.work.attach(run.id)
    page.until(lambda: "Waiting for a free processor" in state.status)
    run.remove()
    page.work.cancel()
    page.until(lambda: "has been removed" in state.status)
    assert state.mood == "bad" and not state.simulating
    small(state, monkeypatch, LONG)
    page.work.run()
    page.until(lambda: "Waiting for a free processor" in state.status)
    assert state.simulation.run_id != run.id


def test_a_deleted_run_cannot_be_cancelled(state, page):
    state.show(Simulation("0" * 32, SYSTEM, LONG))
    page.work.cancel()
    page.until(lambda: state.phase != "cancelling")
    assert "could not be cancelled: there is no run" in state.status


def test_a_run_that_cannot_be_opened_is_reported(state, work):
    work.attach("0" * 32)
    until(lambda: state.mood == "bad")
    assert "cannot be opened: there is no run" in state.status


def test_finish_keeps_the_result_so_far(state, work, monkeypatch):
    settings = replace(LONG, duration_ns=20.0)  # it can finish after a tenth of that
    small(state, monkeypatch, settings)
    work.run()
    until(lambda: state.simulation and state.simulation.profiles is not None)
    work.finish()
    assert state.phase == "finishing" and "Finishing" in state.status
    until(lambda: not state.simulating)
    assert state.simulation.state == RunState.DONE, state.log
    summary = state.simulation.result.summary
    assert 0 < summary.simulated_ns < settings.duration_ns
    # It is not reused for a request of the full length.
    assert not work.archive.submit(SYSTEM, LONG).joined


def test_a_queued_run_shows_the_number_of_runs_ahead_and_the_expected_wait(state, work, no_keeper):
    runs = [work.archive.submit(SYSTEM, replace(LONG, seed=seed)) for seed in (11, 12, 13)]
    places = [wait_of(work.archive, run) for run in runs]
    assert [place.ahead for place in places] == [0, 1, 2]
    first = "Waiting for a free processor: "
    shown = Simulation(runs[2].id, SYSTEM, LONG)
    for about, text in (
        ({}, "2 runs ahead, about 2 min …"),
        ({"ahead": 1}, "1 run ahead, about 2 min …"),
        ({"ahead": 0, "seconds": 12.0}, "next in line, about 12 s …"),
        ({"at_most": True}, "2 runs ahead, at most 2 min …"),
        ({"seconds": None}, "2 runs ahead …"),
        ({"ahead": 0, "seconds": 0.1}, "next in line …"),
    ):
        wait = replace(places[2], **{"seconds": 125.0, **about})
        assert words.status(replace(shown, wait=wait)) == first + text
        assert words.spoken(replace(shown, wait=wait)) == "Waiting for a free processor"
    Watch(work).begin(runs[2])
    until(lambda: state.simulation and state.simulation.wait)
    assert state.status.startswith(f"{first}2 runs ahead, about ")


def test_a_run_that_makes_room_reports_how_much_has_been_simulated(state, work, no_keeper):
    run = work.archive.submit(SYSTEM, LONG)
    progress = {"phase": "sampling", "fraction": 0.4, "steps_per_second": 1e4, "seconds_left": 60.0}
    write_json(run.folder / "progress.json", progress)
    Watch(work).begin(run)
    until(lambda: state.simulation and state.simulation.wait)
    assert state.status == ("Waiting for a free processor: next in line; 40 % simulated so far …")


def test_nothing_starts_while_an_input_is_invalid(state, work):
    state.type("salt_concentration", "90")
    work.run()
    work.answers.predict()
    assert not state.simulating and not state.predicting and work.archive.runs() == []
