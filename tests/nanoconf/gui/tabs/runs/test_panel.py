"""Runs tab without a browser: its table and the buttons that apply to the selected runs."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from backend.files import write_json
from backend.locks import Lock
from backend.runs.run_state import RunState
from backend.sampling.result import Progress, SimulationResult
from nanoconf.gui.state import Simulation
from nanoconf.gui.tabs.registry import RUNS
from nanoconf.gui.tabs.runs import model
from nanoconf.gui.tabs.runs.model import NO_RUNS, History
from nanoconf.gui.tabs.runs.panel import RunsPanel
from tests.support.event_loop import on_a_page, soon
from tests.support.homes import LONG, SYSTEM, until
from tests.support.profiles import profiles


def finished(work, seed: int, *, owner: str = "me", name: str = "", converged=None):
    """Return a run that is done, with a summary and without profiles."""
    run = work.archive.submit(SYSTEM, replace(LONG, seed=seed), owner=owner, name=name)
    verdict = {"converged": converged, "median_relative_error": 0.0123, "target_error": 0.005}
    known = {} if converged is None else {"convergence": verdict}
    summary = {"simulated_ns": 1.5 + seed, "median_relative_error": 0.0123, **known}
    write_json(run.folder / "result.json", {"summary": summary})
    return run


async def opened(state, work, runs: int) -> RunsPanel:
    """Return the panel of a selected Runs tab, once it lists a number of runs."""
    work._post = asyncio.get_running_loop().call_soon_threadsafe
    state.tab = RUNS
    panel = RunsPanel(state, work)
    await soon(lambda: len(panel.table.rows) == runs)
    return panel


def test_the_table_shows_length_error_state_and_owner(state, work):
    finished(work, 1, name="mine", converged=True)
    finished(work, 2, owner="you", converged=False)
    finished(work, 3, owner="")
    cluster = {"config": "", "cores": 2, "minutes": 5}
    queued = work.archive.submit(SYSTEM, LONG, owner="me", where="test", cluster=cluster)
    state.tab = RUNS
    history = History(state, work)
    until(lambda: len(history.entries) == 4)
    on_cluster, by_command, theirs, mine = history.entries
    assert mine.title.startswith("mine (") and mine.submitter == "this browser"
    assert (mine.length, mine.error, mine.place) == ("2.5 ns", "1.2 %", "done")
    assert theirs.submitter == "another browser" and theirs.error == "1.2 %, not converged"
    assert by_command.submitter == "command line" and by_command.error == "1.2 %"
    assert on_cluster.title == queued.id[:8] and on_cluster.place == "queued on test"
    assert (on_cluster.error, on_cluster.simulated) == ("", False)
    for search, found in (("not converged", [theirs]), ("another", [theirs]), ("mine", [mine])):
        history.search = search
        until(lambda found=found: list(history.entries) == found)
    history.search = "nothing like it"
    until(lambda: history.note == "No run matches “nothing like it”.")


def test_the_list_is_limited_to_the_runs_of_this_browser(state, work):
    mine, theirs = finished(work, 1), finished(work, 2, owner="you")

    async def page():
        panel = await opened(state, work, 2)
        assert panel.whose.value == "Everyone"
        panel.table.chosen = (theirs.id, mine.id)
        panel.whose.value = "Mine"
        await soon(lambda: [row["id"] for row in panel.table.rows] == [mine.id])
        assert state.whose_runs == "Mine" and panel.table.chosen == (mine.id,)
        mine.remove()
        panel.history.refresh()
        await soon(lambda: not panel.table.rows)
        assert panel.table.note == "No runs from this browser yet: press Run."
        state.restore_view({"whose_runs": "Everyone"})
        await soon(lambda: [row["id"] for row in panel.table.rows] == [theirs.id])
        state.restore_view({"whose_runs": "Nobody"})
        assert panel.whose.value == "Everyone"

    on_a_page(page)


def test_an_empty_archive_says_how_to_begin(state, work):
    state.tab = RUNS
    history = History(state, work)
    until(lambda: history.note == NO_RUNS)


def test_a_citation_says_if_a_run_has_not_converged(work):
    assert model.citation(finished(work, 1, converged=False)).endswith("; not converged.")
    assert "converged" not in model.citation(finished(work, 2, converged=True))


def test_buttons_are_enabled_only_for_runs_they_apply_to(state, work):
    done, theirs = finished(work, 1), finished(work, 2, owner="you")
    waits = work.archive.submit(SYSTEM, LONG, owner="me")
    runs_still = work.archive.submit(SYSTEM, replace(LONG, seed=9), owner="me")

    async def page():
        panel = await opened(state, work, 4)
        buttons = (panel._open, panel._rename, panel._cite, panel._cancel, panel._delete)

        def enabled(*chosen) -> set[str]:
            panel.table.chosen = tuple(run.id for run in chosen)
            return {each.description for each in buttons if not each.disabled}

        assert enabled() == set()
        assert enabled(done) == {"Open", "Rename", "Cite", "Delete"}
        assert enabled(done, waits) == {"Cite", "Delete"}
        assert enabled(theirs) == {"Open", "Cite"}
        assert enabled(done, theirs) == {"Cite"}
        assert enabled(waits) == {"Open", "Rename", "Cite", "Cancel run", "Delete"}
        assert enabled(runs_still) == {"Open", "Rename", "Cite", "Cancel run"}
        enabled(waits)
        panel._cancel.click()
        assert waits.state == RunState.CANCELLED and "1 run cancelled." in panel.message.value

    with Lock(runs_still.folder / "worker.lock"):
        on_a_page(page)


def test_a_second_press_deletes_the_selected_runs(state, work):
    first, second = finished(work, 1), finished(work, 2)

    async def page():
        panel = await opened(state, work, 2)
        panel.table.chosen = (first.id,)
        panel._delete.click()
        assert panel._delete.description == "Delete for good?" and first.folder.exists()
        panel.table.chosen = (second.id,)
        assert panel._delete.description == "Delete"
        panel._delete.click()
        panel._delete.click()
        assert not second.folder.exists()
        await soon(lambda: [row["id"] for row in panel.table.rows] == [first.id])
        assert panel.table.chosen == ()
        assert panel._delete.disabled and panel._delete.description == "Delete"

    on_a_page(page)


def test_runs_that_are_no_longer_listed_are_deselected(state, work):
    finished(work, 1, name="first")
    second = finished(work, 2, name="second")

    async def page():
        panel = await opened(state, work, 2)
        panel.table.chosen = (second.id,)
        panel.search.value = "first"
        await soon(lambda: len(panel.table.rows) == 1)
        assert panel.history.chosen == () == panel.table.chosen

    on_a_page(page)


def test_a_citation_is_shown_until_the_next_action(state, work):
    run = finished(work, 1)

    async def page():
        panel = await opened(state, work, 1)
        panel.table.chosen = (run.id,)
        panel._cite.click()
        assert run.id in panel.citation.text and not panel.message.value
        panel.name.value = "a name"
        panel._rename.click()
        assert not panel.citation.text and "renamed" in panel.message.value
        await soon(lambda: panel.table.rows[0]["title"].startswith("a name ("))

    on_a_page(page)


def test_the_figure_compares_a_limited_number_of_runs(state, work, monkeypatch):
    monkeypatch.setattr(model, "MAXIMUM_CURVES", 2)
    runs = [finished(work, seed) for seed in range(3)]
    state.tab = RUNS
    history = History(state, work)
    until(lambda: len(history.entries) == 3)
    history.chosen = tuple(run.id for run in runs)
    until(lambda: history.note == "3 runs selected; the figure shows the first 2.")
    history.results = {run.id: SimulationResult(SYSTEM, LONG, profiles(SYSTEM)) for run in runs}
    assert len(history.plot().curves) == 2


def test_the_archive_is_read_again_for_a_new_state_but_not_for_each_progress_update(
    state, work, monkeypatch
):
    state.tab = RUNS
    history = History(state, work)
    asked = []
    monkeypatch.setattr(history._latest, "request", lambda *arguments: asked.append(arguments))
    run = Simulation("1", SYSTEM, LONG, RunState.RUNNING)
    for percent in range(4):
        state.simulation = replace(run, progress=Progress("sampling", percent / 100))
    assert len(asked) == 1
    state.simulation = replace(run, state=RunState.CANCELLED)
    assert len(asked) == 2
