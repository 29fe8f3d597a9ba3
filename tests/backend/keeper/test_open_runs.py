"""Open runs as `turns` sees them, the waits of queued ones, and workers that take turns."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from backend.engines.numba import engine
from backend.files import write_json
from backend.keeper import turns
from backend.keeper.local_runs import LocalRuns
from backend.keeper.open_runs import COMMANDS, job_of, wait_of, waits
from backend.keeper.turns import NEVER
from backend.locks import Lock
from backend.runs.archive import Archive
from backend.runs.run import Run
from backend.runs.run_state import RunState
from nanoconf.cli import main
from tests.support.homes import LONG, QUICK, STEADY, SYSTEM, submit, until, workers

AT = 2e9
STARTED, FOUR_SECONDS_LATER = "2026-09-01T12:00:00+00:00", "2026-09-01T12:00:04+00:00"


@pytest.fixture
def soon_after(monkeypatch):
    """Let waits be read four seconds after the start of the worker, on one core."""
    monkeypatch.setattr("backend.keeper.open_runs.now", lambda: FOUR_SECONDS_LATER)
    monkeypatch.setenv("NANOCONF_CORES", "1")


def queued(home, seed: int, owner: str = "", **about) -> Run:
    return submit(home, replace(about.pop("settings", LONG), seed=seed), owner=owner, **about)


def begin(run: Run, *, seconds_left: float | None = 40.0, ended: str | None = None) -> None:
    """Write the files of a worker in progress."""
    write_json(
        run.folder / "progress.json",
        {
            **{"phase": "sampling", "fraction": 0.5, "steps_per_second": 1e4},
            "seconds_left": seconds_left,
        },
    )
    attempt = {"boot": "", "ended": ended, "started": STARTED}
    write_json(run.folder / "attempts.json", [attempt])


def test_all_commands_are_one_owner_and_each_browser_is_one(home):
    first, second, other = queued(home, 1), queued(home, 2), queued(home, 3, "browser")
    owners = [job_of(run, running=False, at=AT).owner for run in (first, second, other)]
    assert owners == [COMMANDS, COMMANDS, "browser"]


def test_a_run_that_two_browsers_wait_for_has_a_turn_of_its_own(home):
    queued(home, 1, "a")
    wanted = queued(home, 2, "a")
    assert queued(home, 2, "a").id == wanted.id and not wanted.shared
    queued(home, 3, "b", queue="sweep")
    joined = queued(home, 2, "b")
    assert joined.id == wanted.id and wanted.shared
    assert job_of(wanted, running=False, at=AT).owner == f"run {wanted.id}"
    sweep = queued(home, 4, queue="sweep")
    queued(home, 4, queue="sweep")
    assert not sweep.shared


def test_a_turn_begins_when_its_worker_starts_and_a_run_can_pause_once_it_has_simulated(home):
    run = queued(home, 1, "a")
    job = job_of(run, running=False, at=AT)
    assert job.new and not job.simulating and job.seconds_left is None
    assert job_of(run, running=True, at=AT).turn_began == AT  # it has not begun yet
    begin(run)
    job = job_of(run, running=True, at=AT)
    assert job.turn_began == datetime.fromisoformat(STARTED).timestamp()
    assert job.simulating and not job.pausing
    run.pause()
    assert job_of(run, running=True, at=AT).pausing
    begin(run, ended="interrupted")
    assert not job_of(run, running=False, at=AT).new
    assert job_of(run, running=True, at=AT).turn_began == AT  # its next worker is starting


@pytest.mark.parametrize("started", ["soon", "", "9999-12-31", "0001-01-01"])
def test_a_time_that_cannot_be_right_does_not_let_a_run_keep_its_turn(home, started):
    run = queued(home, 1, "a")
    begin(run)
    attempt = {"boot": "", "ended": None, "started": started}
    write_json(run.folder / "attempts.json", [attempt])
    for running in (True, False):
        assert AT - job_of(run, running=running, at=AT).turn_began > turns.TURN_SECONDS


def test_a_sweep_and_an_engine_without_checkpoints_never_make_room(home):
    sweep = job_of(queued(home, 1, queue="sweep"), running=False, at=AT)
    assert sweep.sweep and sweep.turn_began == NEVER
    lammps = queued(home, 1, settings=replace(LONG, engine="lammps"))
    assert not job_of(lammps, running=True, at=AT).resumable


def test_waits_follow_the_progress_of_the_runs_ahead(home, soon_after, capsys):
    archive = Archive(home)
    running = queued(home, 1, "a")
    second, other = queued(home, 2, "a"), queued(home, 3, "b", name="mine")
    begin(running)
    with Lock(running.folder / "worker.lock"):
        line = waits(archive)
        assert [wait.run.id for wait in line] == [other.id, second.id]
        assert [wait.ahead for wait in line] == [0, 1]
        assert line[0].seconds == pytest.approx(6, abs=0.1)  # the rest of a short turn
        assert line[1].seconds > 40
        assert wait_of(archive, running) is None
        assert wait_of(archive, other).in_words() == "next in line, about 6 s"
        assert main.main(["runs"]) == 0
        table = capsys.readouterr().out
        assert "waiting: next in line, about 6 s, mine" in table
        assert "waiting: 1 run ahead, about " in table
    assert [wait.run.id for wait in waits(archive)] == [other.id, running.id, second.id]


def test_a_wait_for_a_run_with_a_target_error_is_an_upper_limit(home, soon_after):
    running = queued(home, 1, settings=replace(LONG, target_error=0.01))
    second = queued(home, 2)
    begin(running)
    with Lock(running.folder / "worker.lock"):
        assert wait_of(Archive(home), second).in_words() == "next in line, at most 40 s"


def test_a_run_makes_room_for_another_browser_and_resumes_with_the_same_result(home, monkeypatch):
    """Real workers, with turns of half a second."""
    monkeypatch.setenv("NANOCONF_CORES", "1")
    monkeypatch.setenv("NANOCONF_CHECKPOINT_SECONDS", "1000")  # only the final one is written
    monkeypatch.setattr(turns, "SHORT_TURN_SECONDS", 0.5)
    monkeypatch.setattr(turns, "ENDING_SECONDS", 0.0)
    keeper = LocalRuns()

    def add(run: Run) -> Run:
        keeper.open[run.id] = run
        return run

    def poll(condition) -> bool:
        keeper.poll()
        assert len(workers(home)) <= 1
        return bool(condition())

    first = add(queued(home, 1, "a", settings=replace(STEADY, duration_ns=4.0)))
    second = add(queued(home, 2, "a", settings=QUICK))
    until(lambda: poll(lambda: first.state == RunState.RUNNING))
    other = add(queued(home, 3, "b", settings=QUICK))
    until(lambda: poll(lambda: other.finished))
    assert other.state == RunState.DONE and not first.finished and not second.attempts()
    assert first.attempts()[0]["ended"] == "interrupted"
    until(lambda: poll(lambda: first.finished and second.finished))
    until(lambda: not keeper.poll())
    assert [attempt["ended"] for attempt in first.attempts()] == ["interrupted", "done"]
    assert any("resumes from step" in line for line in first.log_tail(100))
    expected = engine.run(SYSTEM, first.settings)
    assert first.result().profiles.files() == expected.profiles.files()
    assert len(second.attempts()) == len(other.attempts()) == 1
    assert not (first.folder / "pause").exists()
