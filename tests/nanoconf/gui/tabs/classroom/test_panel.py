"""Class tab: queue, progress and results without names, and clearing the runs of a class."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from backend.files import write_json
from backend.runs import local
from backend.runs.run import Run
from backend.runs.run_state import RunState
from backend.sampling.result import SimulationResult
from nanoconf.gui.app import App
from nanoconf.gui.figures.drawing import draw
from nanoconf.gui.figures.theme import LIGHT
from nanoconf.gui.services.classroom import Classroom
from nanoconf.gui.services.identity import Identity
from nanoconf.gui.services.permissions import TEACHERS_ONLY, NotAllowed
from nanoconf.gui.services.visitor import ROLE, Role, Visitor
from nanoconf.gui.tabs.bar import TabsPanel
from nanoconf.gui.tabs.classroom.model import ALL, LEGEND, TODAY, ClassRuns
from nanoconf.gui.tabs.classroom.panel import CLEAR, ClassPanel
from nanoconf.gui.tabs.registry import CLASS, RUNS, TABS, with_class
from nanoconf.gui.tabs.runs.panel import RunsPanel
from tests.nanoconf.gui.tabs.test_registry import within
from tests.support.comm import click, custom, update
from tests.support.event_loop import on_a_page, soon
from tests.support.homes import LONG, QUICK, SYSTEM, begun, until
from tests.support.profiles import profiles

ANNE, BOB = (Identity.of_browser({"key": key}).owner for key in ("anne", "bob"))


@pytest.fixture(autouse=True)
def no_keeper(monkeypatch):
    """Keep queued runs from starting."""
    monkeypatch.setattr("backend.keeper.election.ensure_keeper", lambda _home: None)


@pytest.fixture
def state():
    """State of a teacher's page."""
    from nanoconf.gui.state import AppState

    return AppState(with_class(TABS))


@pytest.fixture
def teacher(work):
    """Session of a teacher."""
    work.visitor = Visitor(role=Role.TEACHER)
    work.identify({"key": "teacher"})
    return work


def submitted(
    work, owner: str, concentration: float = 0.5, *, done: bool = False, **options
) -> Run:
    system = replace(SYSTEM, salt_concentration=concentration)
    run = work.archive.submit(system, QUICK, owner=owner, reuse=False, **options)
    if done:
        SimulationResult(system, QUICK, profiles(system)).save(run.folder)
        write_json(run.folder / "result.json", {"summary": {}})
    return run


def folders(home: Path) -> set[str]:
    return {path.name for path in (home / "runs").iterdir() if not path.name.startswith(".")}


async def opened(state, work, rows: int) -> ClassPanel:
    work._post = asyncio.get_running_loop().call_soon_threadsafe
    state.tab = CLASS
    panel = ClassPanel(state, work)
    await soon(lambda: len(panel.runs.rows) == rows)
    return panel


def test_the_table_shows_queue_and_progress_without_names(state, teacher):
    first = submitted(teacher, ANNE, 0.3, done=True, name="Anne's run")
    submitted(teacher, "", 0.4)  # from the command line
    submitted(teacher, BOB, 0.5, name="by Bob")
    submitted(teacher, ANNE, 0.6)
    teacher.archive.submit(SYSTEM, LONG, owner="", queue="sweep")

    async def page() -> None:
        panel = await opened(state, teacher, 3)
        table = panel.table.value
        rows = [
            (row.browser, row.system[14:19], row.state.partition(", about")[0])
            for row in panel.runs.rows
        ]
        assert rows == [
            (2, "0.5 M", "queued, 1 run ahead"),
            (1, "0.6 M", "queued, 2 runs ahead"),
            (1, "0.3 M", "done"),
        ]
        assert panel.summary.value == "3 runs from 2 browsers: 2 queued, 1 done."
        for private in ("Anne", "Bob", ANNE, BOB, first.id[:8]):
            assert private not in table
        assert table.count("Browser 1") == 2 and "0.4 M" not in table

    on_a_page(page)


def test_a_running_simulation_shows_its_progress_and_is_cleared(state, teacher, home):
    run = teacher.archive.submit(SYSTEM, LONG, owner=ANNE)
    local.start(run.folder)
    until(lambda: begun(run))

    async def page() -> None:
        panel = await opened(state, teacher, 1)
        await soon(lambda: "running, " in panel.table.value)
        assert "<progress" in panel.table.value
        click(panel.clear)
        click(panel.clear)
        assert panel.clear.disabled and panel.message.value == "Deleting 1 run …"
        await soon(lambda: panel.message.value == "1 run deleted.")
        assert folders(home) == set()

    on_a_page(page)


def test_only_what_was_listed_before_the_confirmation_is_cleared(state, teacher, home):
    listed = [submitted(teacher, ANNE, done=True), submitted(teacher, BOB)]
    kept = [submitted(teacher, ""), submitted(teacher, "", queue="sweep")]

    async def page() -> None:
        panel = await opened(state, teacher, 2)
        click(panel.clear)
        assert panel.clear.description == "Delete 2 runs for good?"
        click(panel.keep)
        assert panel.clear.description == CLEAR
        click(panel.clear)
        kept.append(submitted(teacher, ANNE, 0.7))  # younger than the confirmation
        panel.runs.refresh()
        await soon(lambda: len(panel.runs.rows) == 3)
        click(panel.clear)
        await soon(lambda: panel.message.value == "2 runs deleted.")
        assert folders(home) == {run.id for run in kept}
        assert not any(run.folder.exists() for run in listed)
        await soon(lambda: len(panel.runs.rows) == 1)
        assert all(run.state == RunState.QUEUED for run in kept)

    on_a_page(page)


def test_older_runs_are_listed_and_cleared_only_on_request(state, teacher, home):
    old = submitted(teacher, ANNE)
    request = json.loads((old.folder / "run.json").read_text())
    request["created"] = (datetime.now(UTC) - timedelta(days=2)).isoformat()
    write_json(old.folder / "run.json", request)
    submitted(teacher, BOB, 0.7)

    async def page() -> None:
        panel = await opened(state, teacher, 1)
        assert panel.since.value == TODAY and panel.runs.rows[0].browser == 2
        click(panel.clear)
        update(panel.since, value=ALL)
        assert panel.clear.description == CLEAR, "the confirmation was for other runs"
        await soon(lambda: len(panel.runs.rows) == 2)

    on_a_page(page)


def test_a_page_that_is_not_a_teachers_neither_sees_nor_clears_the_class(state, work, home):
    run = submitted(work, ANNE, done=True)

    async def page() -> None:
        work._post = asyncio.get_running_loop().call_soon_threadsafe
        state.tab = CLASS
        panel = ClassPanel(state, work)
        await soon(lambda: panel.message.value == TEACHERS_ONLY)
        panel.runs._listed = (run.id,)
        for _ in range(2):
            update(panel.clear, disabled=False)
            click(panel.clear)
        assert panel.message.value == TEACHERS_ONLY
        assert panel.runs.rows == () == panel.table.value.count("Browser 1") * (1,)
        assert panel.runs.results == {} and folders(home) == {run.id}

    on_a_page(page)
    for forbidden in (Classroom(work).runs, lambda: Classroom(work).clear([run.id], print)):
        with pytest.raises(NotAllowed):
            forbidden()


def test_runs_of_commands_and_unknown_runs_are_not_cleared_even_if_asked_for(teacher, home):
    by_command, mine = submitted(teacher, ""), submitted(teacher, ANNE)
    outcome: list[str] = []
    Classroom(teacher).clear([by_command.id, mine.id, "0" * 32], outcome.append)
    until(lambda: outcome)
    assert outcome[0].startswith("1 run deleted. 1 run not deleted: Run " + by_command.id[:8])
    assert folders(home) == {by_command.id} and by_command.state == RunState.QUEUED


def test_the_figure_has_a_colour_for_equal_inputs_and_a_limited_legend(state, teacher):
    concentrations = [0.3 + 0.02 * i for i in range(LEGEND + 3)]
    for concentration in [*concentrations, 0.3, 0.3]:
        submitted(teacher, ANNE, concentration, done=True)
    submitted(teacher, "", 0.9, done=True)

    async def page() -> None:
        panel = await opened(state, teacher, LEGEND + 5)
        plot = panel.runs.plot()
        assert len(plot.curves) == LEGEND + 5
        assert len({curve.shade for curve in plot.curves}) == len(concentrations)
        figure = Figure((8, 5))
        draw(figure, plot, LIGHT)
        (axes,) = figure.axes
        texts = [text.get_text().replace("\n", " ") for text in axes.get_legend().get_texts()]
        assert len(texts) == LEGEND
        assert texts[0].endswith("0.3 M, d 0.5 nm: 3 runs")
        colours = [line.get_color() for line in axes.lines if len(line.get_xdata()) > 2]
        assert len(colours) == LEGEND + 5 and len(set(map(tuple, colours))) == len(concentrations)
        assert "5 more curves" in plot.as_text()

    on_a_page(page)


def test_each_result_is_read_once_and_nothing_is_read_in_other_tabs(state, teacher, monkeypatch):
    for i in range(20):
        submitted(teacher, ANNE, 0.3 + 0.01 * i, done=True)
    read: list[str] = []
    result = Run.result
    monkeypatch.setattr(Run, "result", lambda run: (read.append(run.id), result(run))[1])

    async def page() -> None:
        panel = await opened(state, teacher, 20)
        await soon(lambda: len(panel.runs.results) == 20)
        assert len(read) == 20 == len(set(read))
        submitted(teacher, BOB, 0.7, done=True)
        panel.runs.refresh()
        await soon(lambda: len(panel.runs.results) == 21)
        assert len(read) == 21
        state.tab = RUNS
        submitted(teacher, BOB, 0.8, done=True)
        panel.runs.refresh()
        await asyncio.sleep(0.3)
        assert len(read) == 21 == len(panel.runs.rows)

    on_a_page(page)


def entry_of(panel: RunsPanel) -> list[str]:
    return [each.value for each in panel.children if "?teacher" in getattr(each, "value", "")]


@pytest.mark.parametrize(
    ("role", "entries"), [(Role.NONE, 0), (Role.STUDENT, 1), (Role.TEACHER, 0)]
)
def test_only_a_teachers_page_has_the_tab_and_only_a_students_page_has_the_entry(
    home, monkeypatch, role, entries
):
    monkeypatch.setenv(ROLE, role)

    async def page() -> None:
        app = App()
        try:
            custom(app.browser, {"type": "opened", "memory": {"key": "0" * 32}})
            (tabs,) = within(app.widget, TabsPanel)
            if role is Role.TEACHER:
                assert app.state.tab == CLASS and CLASS in tabs.bar.titles
            else:
                update(tabs.bar, value=CLASS)
                assert app.state.tab != CLASS and not within(app.widget, ClassPanel)
            app.state.tab = RUNS
            (runs,) = within(app.widget, RunsPanel)
            assert len(entry_of(runs)) == entries
        finally:
            app.work.close()

    on_a_page(page)


def test_a_failure_is_reported_in_one_line(state, teacher, monkeypatch):
    runs = ClassRuns(state, teacher)
    state.tab = CLASS
    (teacher.archive.home).mkdir(exist_ok=True)
    (teacher.archive.home / "runs").write_text("not a folder")
    runs.refresh()
    until(lambda: runs.summary or runs.message)
    assert "\n" not in runs.message + runs.summary
