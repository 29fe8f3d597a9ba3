"""Runs go on whatever is killed, and none is ever executed twice at a time."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys

import numpy as np
import psutil
import pytest

from backend import local
from backend.archive import Archive
from backend.files import read_json
from backend.keeper import MAXIMUM_CRASHES, ensure_keeper, follow, stop_keeper
from backend.locks import is_locked
from backend.md import engine
from backend.result import Progress
from backend.run import CANCELLED, DONE, FAILED, QUEUED, RUNNING, Run
from backend.settings import RunSettings
from tests.homes import (
    LONG,
    QUICK,
    STEADY,
    SYSTEM,
    begun,
    keepers,
    processes,
    python,
    submit,
    until,
    workers,
)


def kill_worker(run: Run) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(run.attempts()[-1]["pid"], signal.SIGKILL)


def come_to(run: Run, fraction: float) -> bool:
    """Whether a run has come so far."""
    progress = run.progress()
    return progress is not None and progress.fraction >= fraction


def kill_keeper(home) -> None:
    for process in keepers(home):
        process.kill()
    until(lambda: not is_locked(home / "keeper.lock"))


def variant(seed: int, settings: RunSettings = QUICK) -> RunSettings:
    return RunSettings(**{**settings.to_dict(), "seed": seed})


def test_a_submitted_run_is_carried_out(home):
    run = submit(home)
    seen: list[Progress | None] = []
    assert follow(run, seen.append) == DONE
    assert run.result().positive.density.shape == (300,)
    assert any(progress and progress.phase == "compiling" for progress in seen)


def test_the_keeper_leaves_when_there_is_nothing_to_do_and_comes_back(home):
    for seed in (1, 2):
        run = submit(home, variant(seed))
        ensure_keeper(home, idle_seconds=0.0)
        assert run.wait(60) == DONE
        until(lambda: not keepers(home), "the keeper to leave")


def test_a_keeper_about_to_leave_takes_what_was_just_submitted(home):
    archive = Archive(home)
    ensure_keeper(home, idle_seconds=0.0)
    for seed in range(8):
        run = archive.submit(SYSTEM, variant(seed))
        ensure_keeper(home, idle_seconds=0.0)
        until(lambda run=run: run.state == RUNNING or run.finished, "the run to start", 15)
        run.cancel()
        run.wait(10)


def test_many_who_ask_for_a_keeper_get_one(home):
    code = """if True:
        import sys
        from pathlib import Path
        from backend.keeper import ensure_keeper
        print(flush=True)
        sys.stdin.readline()
        ensure_keeper(Path(sys.argv[1]))
    """
    askers = [python(code, str(home), stdin=subprocess.PIPE) for _ in range(4)]
    for process in askers:
        process.stdout.readline()
    for process in askers:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in askers:
        assert process.wait(20) == 0
    until(lambda: is_locked(home / "keeper.lock"))
    until(lambda: len(keepers(home)) == 1, "one keeper to be left")
    assert read_json(home / "keeper.lock")["pid"] == keepers(home)[0].pid
    run = submit(home)
    assert follow(run) == DONE
    assert len(run.attempts()) == 1


def test_a_killed_worker_is_replaced_and_the_result_is_the_same(home):
    """Killed at a random moment, twice."""
    moments = random.Random(os.getpid())
    run = submit(home, STEADY)
    ensure_keeper(home)
    for deaths in range(1, MAXIMUM_CRASHES):
        until(lambda n=deaths: run.finished or (len(run.attempts()) == n and run.state == RUNNING))
        fraction = moments.choice([0.0, 0.1, 0.5, 0.9])
        until(lambda f=fraction: run.finished or come_to(run, f))
        kill_worker(run)
    assert follow(run) == DONE
    assert run.attempts()[-1]["ended"] == "done"
    expected = engine.run(SYSTEM, STEADY)
    np.testing.assert_allclose(
        run.result().positive.density, expected.positive.density, rtol=1e-7, atol=1e-12
    )


def test_a_run_whose_workers_keep_dying_fails_with_a_reason(home):
    run = submit(home, LONG)
    ensure_keeper(home)
    for deaths in range(1, MAXIMUM_CRASHES + 1):
        until(lambda n=deaths: len(run.attempts()) == n and run.state == RUNNING)
        kill_worker(run)
    assert run.wait(20) == FAILED
    assert run.error == "crashed"
    assert f"died {MAXIMUM_CRASHES} times" in run.reason
    assert len(run.attempts()) == MAXIMUM_CRASHES


def test_a_killed_keeper_leaves_its_workers_and_the_next_one_knows_them(home):
    run = submit(home, STEADY)
    ensure_keeper(home)
    until(lambda: run.state == RUNNING)
    until(lambda: run.attempts())
    worker = run.attempts()[0]["pid"]
    kill_keeper(home)
    assert psutil.pid_exists(worker) and run.state == RUNNING
    ensure_keeper(home)
    until(lambda: keepers(home))
    assert follow(run) == DONE
    assert [attempt["pid"] for attempt in run.attempts()] == [worker]


def test_keepers_killed_all_the_time_never_lead_to_two_workers(home):
    run = submit(home, STEADY)
    while not run.finished:
        ensure_keeper(home)
        run.wait(timeout=0.3)
        kill_keeper(home)
        alive = [w for w in workers(home) if w.status() != psutil.STATUS_ZOMBIE]
        writers = [w for w in alive if w.pid in [a["pid"] for a in run.attempts()]]
        assert len(writers) <= 1
    assert run.state == DONE
    assert len(run.attempts()) == 1


def test_after_everything_was_killed_the_next_call_resumes(home):
    run = submit(home)
    ensure_keeper(home)
    until(lambda: run.attempts())
    for process in processes(home):
        process.kill()
    until(lambda: not processes(home))
    # a process that dies loses its command line a moment before its locks
    until(lambda: run.state == QUEUED)
    assert follow(run) == DONE


def test_runs_that_wait_and_runs_that_run_can_be_cancelled(home, monkeypatch):
    monkeypatch.setenv("NANOCONF_CORES", "1")
    running, waiting = submit(home, LONG), submit(home, variant(2, LONG))
    ensure_keeper(home)
    until(lambda: begun(running))
    assert waiting.state == QUEUED
    for run in (waiting, running):
        run.cancel()
        assert run.wait(2.0) == CANCELLED
    until(lambda: not workers(home))
    assert waiting.attempts() == []


def test_a_cancel_file_alone_is_enough(home, monkeypatch):
    monkeypatch.setenv("NANOCONF_CORES", "1")
    running, waiting = submit(home, LONG), submit(home, variant(2, LONG))
    ensure_keeper(home)
    until(lambda: running.state == RUNNING)
    (waiting.folder / "cancel").touch()
    assert waiting.wait(5) == CANCELLED
    running.cancel()
    running.wait(5)


def test_interactive_runs_do_not_wait_for_sweeps(home, monkeypatch):
    monkeypatch.setenv("NANOCONF_CORES", "1")
    sweep = [submit(home, variant(seed, LONG), queue="sweep") for seed in (1, 2)]
    ensure_keeper(home)
    until(lambda: sweep[0].attempts())
    urgent = submit(home, variant(3, LONG))
    until(lambda: urgent.attempts())
    assert [run.state for run in sweep] == [RUNNING, QUEUED]
    niceness = [psutil.Process(run.attempts()[0]["pid"]).nice() for run in (sweep[0], urgent)]
    assert niceness[0] > niceness[1]
    for run in (*sweep, urgent):
        run.cancel()
    until(lambda: not workers(home))


def test_no_more_runs_at_a_time_than_there_are_cores(home, monkeypatch):
    monkeypatch.setenv("NANOCONF_CORES", "2")
    two_cores = RunSettings(duration_ns=100.0, replicas=2)
    runs = [submit(home, two_cores), submit(home, LONG)]
    ensure_keeper(home)
    until(lambda: begun(runs[0]))
    assert runs[1].state == QUEUED
    runs[0].cancel()
    until(lambda: runs[1].state == RUNNING)
    runs[1].cancel()
    until(lambda: not workers(home))


def test_cores_of_a_run(monkeypatch):
    monkeypatch.setenv("NANOCONF_CORES", "4")
    assert [local.cores_of({"replicas": n}) for n in (1, 3, 9)] == [1, 3, 4]
    assert local.cores_of({}) == 1
    monkeypatch.delenv("NANOCONF_CORES")
    assert local.cores() >= 1


def test_a_keeper_of_another_version_gives_way(home):
    ensure_keeper(home)
    until(lambda: keepers(home) and is_locked(home / "keeper.lock"))
    until(lambda: (home / "keeper.lock").read_text().endswith("}\n"))
    old = keepers(home)[0]
    (home / "keeper.lock").write_text(f'{{"pid": {old.pid}, "version": "0.0.0"}}\n')
    ensure_keeper(home)
    assert not old.is_running()
    until(lambda: [keeper.pid for keeper in keepers(home)] not in ([], [old.pid]))


def test_odd_folders_do_not_keep_others_waiting(home):
    good = submit(home)
    odd = submit(home, variant(2))
    (odd.folder / "run.json").write_text("{")
    other = submit(home, variant(3))
    os.mkdir(other.folder / "worker.lock")  # no worker can ever have it
    assert follow(good) == DONE


def test_a_home_that_is_deleted_ends_its_keeper(home):
    ensure_keeper(home)
    until(lambda: is_locked(home / "keeper.lock"))
    keeper = keepers(home)[0]
    shutil.rmtree(home)
    until(lambda: not keeper.is_running() or keeper.status() == psutil.STATUS_ZOMBIE)


def test_workers_and_keeper_outlive_whoever_started_them(home):
    code = """if True:
        import os, sys, time
        from pathlib import Path
        from backend.archive import Archive
        from backend.keeper import ensure_keeper
        ensure_keeper(Path(sys.argv[1]))
        print(os.getsid(0), flush=True)
        time.sleep(60)
    """
    run = submit(home)
    caller = python(code, str(home), start_new_session=True)
    caller.stdout.readline()
    until(lambda: run.attempts())
    os.killpg(caller.pid, signal.SIGKILL)  # as when a terminal is closed, or a server killed
    caller.communicate()
    assert run.wait(60) == DONE


def test_stopping_a_keeper_that_is_not_there(home):
    assert stop_keeper(home)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_waiting_keeper_costs_next_to_nothing(home):
    archive = Archive(home)
    for seed in range(50):
        archive.submit(SYSTEM, variant(seed)).cancel()
    ensure_keeper(home)
    until(lambda: is_locked(home / "keeper.lock"))
    keeper = keepers(home)[0]
    # Its start costs more, and lasts as long as the machine is slow.
    until(lambda: keeper.cpu_percent(interval=2.0) < 10)
