"""One keeper for each home: it comes when it is wanted, goes when it is not, and shares the cores.

What becomes of the runs, whatever is killed, is in ``test_jobs.py``.
"""

import os
import shutil
import subprocess
import sys
import time

import psutil
import pytest

from backend.files import read_json
from backend.keeper import process as keeper_process
from backend.keeper.election import ensure_keeper, follow, resume_runs, stop_keeper
from backend.keeper.keeper import Keeper
from backend.keeper.local_runs import NICENESS
from backend.locks import is_locked
from backend.runs import local
from backend.runs.archive import Archive
from backend.runs.run_state import RunState
from backend.settings import RunSettings
from tests.support.homes import (
    LONG,
    PATIENCE,
    QUICK,
    STEADY,
    SYSTEM,
    alive,
    begun,
    keepers,
    kill,
    processes,
    python,
    submit,
    until,
    workers,
)


def use_processor(seconds: float) -> None:
    """Compute until this thread has used the processor for a time (s)."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def variant(seed: int, settings: RunSettings = QUICK) -> RunSettings:
    return RunSettings(**{**settings.to_dict(), "seed": seed})


def test_an_idle_keeper_exits_and_restarts(home):
    for seed in (1, 2):
        run = submit(home, variant(seed))
        ensure_keeper(home, idle_seconds=0.0)
        assert run.wait(PATIENCE) == RunState.DONE
        until(lambda: not keepers(home), "the keeper to leave")


def test_a_keeper_about_to_exit_accepts_a_new_run(home):
    archive = Archive(home)
    ensure_keeper(home, idle_seconds=0.0)
    for seed in range(8):
        run = archive.submit(SYSTEM, variant(seed))
        ensure_keeper(home, idle_seconds=0.0)
        until(lambda run=run: run.state == RunState.RUNNING or run.finished, "the run to start")
        run.cancel()
        run.wait(PATIENCE)


def test_concurrent_requests_for_a_keeper_start_only_one(home):
    code = """if True:
        import sys
        from pathlib import Path
        from backend.keeper.election import ensure_keeper
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
        assert process.wait(PATIENCE) == 0
    until(lambda: is_locked(home / "keeper.lock"))
    until(lambda: len(keepers(home)) == 1, "one keeper to be left")
    assert read_json(home / "keeper.lock")["pid"] == keepers(home)[0].pid
    run = submit(home)
    assert follow(run) == RunState.DONE
    assert len(run.attempts()) == 1


def test_a_page_resumes_the_runs_of_others_after_all_processes_are_killed(home):
    run = submit(home, STEADY)
    ensure_keeper(home)
    until(lambda: run.attempts())
    kill(processes(home))
    until(lambda: not processes(home))
    # a process that dies loses its command line a moment before its locks
    until(lambda: run.state == RunState.QUEUED and not is_locked(home / "keeper.lock"))
    resume_runs(Archive(home))
    assert run.wait(PATIENCE) == RunState.DONE


def test_a_cancel_file_is_enough_to_cancel(home, monkeypatch):
    monkeypatch.setenv("NANOCONF_CORES", "1")
    running, waiting = submit(home, LONG), submit(home, variant(2, LONG))
    ensure_keeper(home)
    until(lambda: running.state == RunState.RUNNING)
    (waiting.folder / "cancel").touch()
    assert waiting.wait(PATIENCE) == RunState.CANCELLED
    running.cancel()
    running.wait(PATIENCE)


def test_interactive_runs_do_not_wait_for_sweeps(home, monkeypatch):
    monkeypatch.setenv("NANOCONF_CORES", "1")
    sweep = [submit(home, variant(seed, LONG), queue="sweep") for seed in (1, 2)]
    ensure_keeper(home)
    until(lambda: sweep[0].attempts())
    urgent = submit(home, variant(3, LONG))
    until(lambda: urgent.attempts())
    assert [run.state for run in sweep] == [RunState.RUNNING, RunState.QUEUED]
    niceness = [psutil.Process(run.attempts()[0]["pid"]).nice() for run in (sweep[0], urgent)]
    asked = [NICENESS["sweep"], NICENESS["interactive"]]
    assert niceness == [min(19, psutil.Process().nice() + each) for each in asked]
    assert asked[0] > asked[1] > 0
    for run in (*sweep, urgent):
        run.cancel()
    until(lambda: not workers(home))


def test_the_number_of_concurrent_runs_is_limited_by_the_number_of_cores(home, monkeypatch):
    monkeypatch.setenv("NANOCONF_CORES", "2")
    two_cores = RunSettings(duration_ns=100.0, replicas=2)
    runs = [submit(home, two_cores), submit(home, LONG)]
    ensure_keeper(home)
    until(lambda: begun(runs[0]))
    assert runs[1].state == RunState.QUEUED
    runs[0].cancel()
    until(lambda: runs[1].state == RunState.RUNNING)
    runs[1].cancel()
    until(lambda: not workers(home))


def test_a_run_uses_one_core_per_replica_up_to_the_cores_available(monkeypatch):
    monkeypatch.setenv("NANOCONF_CORES", "4")
    assert [local.cores_of({"replicas": n}) for n in (1, 3, 9)] == [1, 3, 4]
    assert local.cores_of({}) == 1
    monkeypatch.delenv("NANOCONF_CORES")
    assert local.cores() >= 1


def test_a_keeper_from_another_version_is_replaced(home):
    ensure_keeper(home)
    until(lambda: keepers(home) and is_locked(home / "keeper.lock"))
    until(lambda: (home / "keeper.lock").read_text().endswith("}\n"))
    old = keepers(home)[0]
    (home / "keeper.lock").write_text(f'{{"pid": {old.pid}, "version": "0.0.0"}}\n')
    ensure_keeper(home)
    until(lambda: not alive(old))
    until(lambda: [keeper.pid for keeper in keepers(home)] not in ([], [old.pid]))


def elected(home):
    """Return the keeper, once it has described itself."""
    until(lambda: is_locked(home / "keeper.lock"))
    until(lambda: (home / "keeper.lock").read_text().endswith("}\n"))
    return psutil.Process(read_json(home / "keeper.lock")["pid"])


@pytest.mark.parametrize("name", ["NANOCONF_CORES", "NANOCONF_CLUSTER_CONFIG", "PYTHONPATH"])
def test_a_request_from_another_environment_replaces_the_keeper(home, monkeypatch, name):
    ensure_keeper(home)
    old = elected(home)
    monkeypatch.setenv(name, "1" if name == "NANOCONF_CORES" else f"{home.parent}:{os.getcwd()}")
    ensure_keeper(home, any_environment=True)
    assert alive(old)  # who only waits accepts it
    ensure_keeper(home)
    until(lambda: not alive(old))
    new = elected(home)
    assert new.environ()[name] == os.environ[name]
    ensure_keeper(home)
    assert alive(new)


def test_a_process_that_waits_does_not_replace_a_keeper_of_another_environment(home, monkeypatch):
    monkeypatch.setattr("backend.keeper.election.REELECTION_SECONDS", 0.05)
    run = submit(home, LONG)
    seen = []

    def change_environment(_progress):
        if not seen:
            monkeypatch.setenv("NANOCONF_CORES", "1")
        seen.append(elected(home))
        if len(seen) == 10:  # meanwhile the keeper was checked several times
            run.cancel()

    assert follow(run, change_environment) == RunState.CANCELLED
    assert len(set(seen)) == 1 and alive(seen[0])


def test_the_keeper_exits_when_its_home_is_deleted(home):
    ensure_keeper(home)
    until(lambda: is_locked(home / "keeper.lock"))
    keeper = keepers(home)[0]
    shutil.rmtree(home.rename(home.with_name("deleted")))  # at once, whatever the keeper writes
    until(lambda: not alive(keeper))


def test_stopping_without_a_keeper_succeeds(home):
    assert stop_keeper(home)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_waiting_keeper_uses_little_cpu(home):
    archive = Archive(home)
    for seed in range(50):
        archive.submit(SYSTEM, variant(seed)).cancel()
    ensure_keeper(home)
    until(lambda: is_locked(home / "keeper.lock"))
    keeper = keepers(home)[0]
    # Its start costs more, and lasts as long as the machine is slow.
    until(lambda: keeper.cpu_percent(interval=2.0) < 10)


@pytest.mark.parametrize("wait", [time.sleep, use_processor])
def test_the_pause_between_polls_follows_the_processor_time_of_a_poll(tmp_path, monkeypatch, wait):
    """A poll that waits for a busy computer or disk delays the next by as long, not 20 times."""
    keeper = Keeper(Archive(tmp_path))
    monkeypatch.setattr(keeper, "poll", lambda: wait(0.3))
    _, pause = keeper_process._poll(keeper)
    if wait is use_processor:
        assert pause >= 0.3 / keeper_process.POLL_SHARE
    else:
        assert pause < 0.5 * 0.3 / keeper_process.POLL_SHARE
