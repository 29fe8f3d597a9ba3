"""Messages that no control of the page sends: clicks on disabled buttons, foreign ids, wrong types.

They change nothing, and the page gives the reason in one line.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from backend.cluster.config import LIMITS, VARIABLE
from backend.environment import MAX_LENGTH, MAX_RUNS
from backend.files import write_json
from backend.locks import Lock
from backend.runs.archive import Archive
from backend.runs.run_state import RunState
from backend.system import InvalidInput
from nanoconf.gui.fields import FIELDS
from nanoconf.gui.services.clusters import SHARED
from nanoconf.gui.services.identity import Identity, Submitter
from nanoconf.gui.services.permissions import LONGEST_NAME, LONGEST_SELECTION, check_unfinished
from nanoconf.gui.state import AppState, Simulation
from nanoconf.gui.tabs.registry import RUNS
from nanoconf.gui.tabs.runs.panel import RunsPanel
from nanoconf.gui.widgets.actions import ActionsPanel
from nanoconf.gui.widgets.cluster_fields import ClusterFields
from nanoconf.gui.widgets.computing import ComputingPanel
from nanoconf.gui.widgets.number import NumberInput
from tests.support.comm import click, update
from tests.support.event_loop import on_a_page, soon
from tests.support.homes import LONG, PATIENCE, QUICK, SYSTEM, until


def files_of(home: Path) -> dict[str, bytes]:
    """Return the content of all files of the runs of a home."""
    return {str(file): file.read_bytes() for file in home.glob("runs/**/*") if file.is_file()}


@pytest.fixture(autouse=True)
def no_keeper(monkeypatch):
    """Keep queued runs from starting."""
    monkeypatch.setattr("backend.keeper.election.ensure_keeper", lambda *_of, **_how: None)


def submitted(work, owner: str, seed: int, *, done: bool = False):
    run = work.archive.submit(SYSTEM, replace(LONG, seed=seed), owner=owner, name=f"run {seed}")
    if done:
        write_json(run.folder / "result.json", {"summary": {"simulated_ns": 1.0}})
    return run


def stranger() -> str:
    return Identity.of_browser({"key": "another key"}).owner


async def opened(state, work, runs: int) -> RunsPanel:
    work._post = asyncio.get_running_loop().call_soon_threadsafe
    state.tab = RUNS
    panel = RunsPanel(state, work)
    await soon(lambda: len(panel.table.rows) == runs)
    return panel


def test_runs_of_others_are_neither_renamed_nor_cancelled_nor_deleted(state, work, home):
    theirs, waits = submitted(work, stranger(), 1, done=True), submitted(work, stranger(), 2)
    by_command, mine = submitted(work, "", 3), submitted(work, work.identity.owner, 4)
    before = files_of(home)

    async def page() -> None:
        panel = await opened(state, work, 4)
        buttons = (panel._rename, panel._cancel, panel._delete)
        for run in (theirs, waits, by_command):
            update(panel.table, chosen=[run.id])
            assert all(each.disabled for each in buttons)
            update(panel.name, value="taken over")
            for button in buttons:
                assert button.layout.visibility == "hidden"
                update(button, disabled=False)
                click(button)
                click(button)  # Delete asks for confirmation
                text = panel.message.value
                assert f"Run {run.id[:8]} " in text and text.count(".") == 1 and "\n" not in text
        for several in ([mine.id, theirs.id], [theirs.id, mine.id]):
            update(panel.table, chosen=several)
            for button in buttons[1:]:
                click(button)
                click(button)
                assert f"Run {theirs.id[:8]} " in panel.message.value
        assert files_of(home) == before

        update(panel.table, chosen=[mine.id])
        assert all(each.layout.visibility is None for each in buttons)
        update(panel.name, value="x" * (LONGEST_NAME + 1))
        click(panel._rename)
        assert f"at most {LONGEST_NAME} characters" in panel.message.value
        assert files_of(home) == before
        update(panel.name, value=" my\n run ")
        click(panel._rename)
        assert mine.name == "my run"
        click(panel._cancel)
        assert mine.state == RunState.CANCELLED
        click(panel._delete)
        click(panel._delete)
        assert not mine.folder.exists() and theirs.folder.exists()

    on_a_page(page)


def test_only_ids_of_runs_are_selected_and_only_those_in_the_archive_have_an_effect(
    state, work, home
):
    mine = submitted(work, work.identity.owner, 1, done=True)
    unknown = "0" * 32
    outside = home.parent / mine.id
    outside.mkdir()
    refused = (
        *([f"../../{mine.id}"], [f"../runs/{mine.id}"], [str(mine.folder)], ["../.."], [""]),
        *([mine.id[:8]], [f"{mine.id}\n"], [mine.id.upper() + "/"], [None], [3], [[mine.id]]),
        *([{"id": mine.id}], [mine.id] * (LONGEST_SELECTION + 1), mine.id, 5, None, {"a": 1}),
    )
    before = files_of(home)

    async def page() -> None:
        panel = await opened(state, work, 1)
        for chosen in refused:
            update(panel.table, chosen=chosen)
            assert panel.table.chosen == () == panel.history.chosen, chosen
        for button in (panel._open, panel._rename, panel._cite, panel._cancel, panel._delete):
            update(panel.table, chosen=[unknown])
            click(button)
            click(button)
            assert f"there is no run {unknown}" in panel.message.value
        assert files_of(home) == before and outside.exists() and state.simulation is None

    on_a_page(page)


def test_a_run_of_another_browser_on_screen_is_not_stopped(state, work, home):
    run = submitted(work, stranger(), 1)
    with Lock(run.folder / "worker.lock"):
        work.attach(run.id)
        until(lambda: state.simulation and state.simulation.state == RunState.RUNNING)
        panel = ActionsPanel(state, work)
        before = files_of(home)
        assert panel.run.off and panel.finish.disabled and not panel.background.disabled
        assert panel.run.layout.visibility == panel.finish.layout.visibility == "hidden"
        click(panel.run)
        update(panel.run, disabled=False, description="Cancel")
        click(panel.finish)
        assert state.status.startswith(state_reason(run, "finished"))
        work.cancel()
        assert state.status.startswith(state_reason(run, "cancelled"))
        # The page may believe that the run is its own: the archive is asked again.
        state.simulation = replace(state.simulation, submitter=Submitter.HERE)
        for request in (work.cancel, work.finish):
            request()
            until(lambda: "only in the browser that started it" in state.status)
            until(lambda: state.phase == "active")
        assert files_of(home) == before and run.state == RunState.RUNNING
        click(panel.background)
        assert not state.simulating and files_of(home) == before
        assert panel.run.layout.visibility is None


def state_reason(run, done: str) -> str:
    return f"Run {run.id[:8]} can be {done} only in the browser that started it."


def test_a_simulation_that_cannot_finish_early_is_not_asked_to(state, work):
    run = work.archive.submit(
        SYSTEM,
        LONG,
        owner=work.identity.owner,
        where="test",
        cluster={"config": "", "cores": 1, "minutes": 5},
    )
    state.show(Simulation(run.id, SYSTEM, LONG, RunState.RUNNING, where="test"))
    panel = ActionsPanel(state, work)
    assert panel.finish.disabled
    click(panel.finish)
    assert state.phase == "active" and not run.finish_requested


@pytest.fixture
def shared_page(tmp_path, monkeypatch):
    """Two clusters of the server's owner, of which one is configured for shared pages."""
    limits = "\n".join(f"{name} = 2" for name in LIMITS)
    entries = f'[clusters.a]\nhost="x"\n[clusters.b]\nhost="y"\nshared=true\n{limits}\n'
    (tmp_path / "clusters.toml").write_text(entries)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "clusters.toml"))
    monkeypatch.setenv(SHARED, "1")
    return tmp_path / "clusters.toml"


def test_a_shared_page_uses_no_cluster_that_is_not_configured_for_it(state, work, shared_page):
    computing, fields = ComputingPanel(state, work), ClusterFields(state)
    update(computing.cluster, value=True)
    assert state.cluster_mode and state.clusters == ("b",)
    update(fields.name, _options_labels=["a", "b"], index=1)
    update(fields.name, index=7)
    assert state.cluster == "b"
    for name in ("a", "../b", ""):
        state.cluster = name
        state.cluster_problem = ""
        work.run()
        until(lambda: state.mood == "bad" and not state.simulating)
        assert (
            f"cluster = {name!r}" in state.notice.text and "must be one of b" in state.notice.text
        )
    shared_page.write_text('[clusters.a]\nhost="x"\n')  # not shared any more
    state.cluster = "a"
    state.cluster_problem = state.cluster_note = ""
    work.run()
    until(lambda: "shared = true" in state.status)
    update(computing.cluster, value=False)
    update(computing.cluster, value=True)
    assert not state.cluster_mode and "shared = true" in state.cluster_note
    assert work.archive.runs() == []


# --- limits of the page ---------------------------------------------------------------------


def refusal_of(state, work, settings) -> str:
    """Request a simulation past the checks of the field; return the line of its refusal."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AppState, "system", SYSTEM)
        patch.setattr(AppState, "settings", settings)
        work.run()
        until(lambda: not state.simulating)
    return state.status


def test_longer_simulations_than_the_page_accepts_are_refused(state, work, monkeypatch):
    monkeypatch.setenv(MAX_LENGTH, "20")
    field = NumberInput(state, FIELDS["duration_ns"])
    update(field.text, value="60")
    panel = ActionsPanel(state, work)
    update(panel.run, disabled=False)
    click(panel.run)
    assert not state.simulating and not state.valid
    update(field.slider, _options_labels=["60"], index=0)
    update(field.slider, index=50)
    assert state.values["duration_ns"] in (None, *field.slider.options)
    line = refusal_of(state, work, LONG)
    assert "simulation length = 100.0: must be at most 20 ns on this page" in line
    monkeypatch.setenv(MAX_LENGTH, "long")
    assert f"{MAX_LENGTH} = 'long': must lie between" in refusal_of(state, work, LONG)
    assert work.archive.runs() == []


def test_a_browser_has_no_more_unfinished_runs_than_the_page_accepts(state, work, monkeypatch):
    monkeypatch.setenv(MAX_RUNS, "2")
    for seed in (1, 2, 3):
        submitted(work, stranger(), seed)
        submitted(work, "", seed + 3)
    mine = [submitted(work, work.identity.owner, 7, done=True)]
    mine += [submitted(work, work.identity.owner, seed) for seed in (8, 9)]
    before = len(work.archive.runs())
    line = refusal_of(state, work, replace(LONG, seed=10))
    assert (
        "unfinished runs of this browser = 2: the limit is 2; wait until one has finished" in line
    )
    assert len(work.archive.runs()) == before
    assert work.archive.submit(SYSTEM, replace(LONG, seed=11)).owner == ""  # a command

    mine[1].cancel()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AppState, "system", SYSTEM)
        patch.setattr(AppState, "settings", replace(LONG, seed=10))
        work.run()
        until(lambda: state.simulation is not None)
    assert len(work.archive.runs()) == before + 2
    work.detach()


def test_several_pages_of_one_browser_do_not_exceed_its_number_of_runs(work, monkeypatch):
    """The runs are counted while nobody else can submit one."""
    monkeypatch.setenv(MAX_RUNS, "3")

    def submit(seed: int) -> bool:
        archive = Archive(work.archive.home)
        with suppress(InvalidInput):
            archive.submit(
                SYSTEM,
                replace(LONG, seed=seed),
                owner=work.identity.owner,
                admit=lambda: check_unfinished(work.identity, archive),
            )
            return True
        return False

    with ThreadPoolExecutor(8) as pages:
        assert sum(pages.map(submit, range(24))) == 3
    assert len(Archive(work.archive.home).runs()) == 3


WRONG_TYPES = """
import asyncio, json, sys
from IPython.core.interactiveshell import InteractiveShell
InteractiveShell.instance()
from ipywidgets import Layout, Style
from ipywidgets.widgets.widget import _instances
from backend.keeper import election
from nanoconf.gui.app import show
from nanoconf.gui.tabs.registry import LESSONS, RUNS
from tests.support.comm import custom, update
from tests.support.homes import SYSTEM

WRONG = (None, -1, 1e308, "../..", True, ["../.."], [[1]], {"a": [1]}, [0, 1e12])
WRITABLE = ("value", "index", "min", "max", "chosen", "memory", "stage", "fragment", "groups")

election.resume_runs = lambda archive: None  # the runs stay queued

async def page():
    app = show()
    browser, state = app.browser, app.state
    custom(browser, {"type": "opened", "memory": {"key": "0" * 32, "texts": [1], "figures": 3}})
    texts = {"salt_concentration": {}}
    for memory in ([1], "x", None, {"texts": texts, "lessons": {"answers": 3}}):
        custom(browser, {"type": "opened", "memory": memory})
    for content in (None, 3, "x", [], {}, {"type": "opened"}, {"type": []}, {"event": "click"}):
        custom(browser, content)
    for tab in state.tabs:
        state.tab = tab
        await asyncio.sleep(0.05)
    widgets = [each for each in _instances.values() if not isinstance(each, (Layout, Style))]
    sent = 0
    for widget in widgets:
        for name in [each for each in WRITABLE if each in widget.keys]:
            kept = getattr(widget, name)
            for value in WRONG:
                update(widget, **{name: value})
                sent += 1
            update(widget, **{name: kept})
        custom(widget, [3])
    lines = list(state.log)
    state.choose(SYSTEM)
    state.tab = RUNS
    await asyncio.sleep(0.2)
    valid = state.valid
    app.work.close()
    print(json.dumps({"sent": sent, "log": lines, "valid": valid}), file=sys.__stdout__)

asyncio.run(page())
"""


def test_values_of_the_wrong_type_change_no_run_and_are_refused_in_one_line(home):
    archive = Archive(home)
    for owner in ("", stranger()):
        archive.submit(SYSTEM, QUICK, owner=owner, reuse=False)
    before = files_of(home)
    code = [sys.executable, "-c", WRONG_TYPES]
    done = subprocess.run(code, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr[-3000:]
    answer = json.loads(done.stdout.splitlines()[-1])
    assert "Traceback" not in done.stdout
    assert answer["sent"] > 500 and answer["valid"]
    refused = [line for line in answer["log"] if "A request was refused: " in line]
    assert refused and not any("\n" in line for line in answer["log"])
    assert files_of(home) == before
