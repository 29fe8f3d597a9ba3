"""Archive: runs are stored, found again and never incomplete."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from backend.files import read_json, write_text
from backend.locks import Lock, is_locked
from backend.runs.archive import Archive, UnknownRun, UnusableHome, default_home, inputs_hash
from backend.runs.run import DamagedRun, Outcome, Run, boot_id
from backend.runs.run_state import RunState
from backend.sampling.result import Cancelled, SimulationError
from backend.settings import RunSettings
from backend.system import SlitSystem
from tests.support.homes import (
    LONG,
    QUICK,
    STEADY,
    SYSTEM,
    obey_permissions,
    python,
    simulated,
    submit,
)


def finish(run: Run) -> None:
    """Write the files of a result, as a worker does."""
    for name in ("positive_density.csv", "negative_density.csv"):
        write_text(run.folder / name, "z_nm,density_M,error_M\n-1,0.5,0.1\n1,0.5,0.1\n")
    for name in ("p_density_profile.dat", "n_density_profile.dat"):
        write_text(run.folder / name, "-1\t0.5\t0.1\n1\t0.5\t0.1\n")
    write_text(run.folder / "result.json", '{"summary": {}}')


# --- submitting and finding -----------------------------------------------------------------


def test_a_submitted_run_is_found_by_a_later_session_with_its_complete_request(home):
    run = submit(home, QUICK, name="mine", owner="me", queue="sweep")
    found = Archive(home).get(run.id)
    assert (found.system, found.settings) == (SYSTEM, QUICK)
    assert (found.name, found.queue, found.where) == ("mine", "sweep", "local")
    assert found.state == RunState.QUEUED
    assert len(found.id) == 32
    assert [name for name in os.listdir(home / "runs")] == [run.id]


def test_runs_are_listed_newest_first(home):
    runs = [submit(home, RunSettings(seed=seed)) for seed in range(3)]
    assert [run.id for run in Archive(home).runs()] == [run.id for run in reversed(runs)]


def test_an_archive_notices_runs_that_other_processes_submit_and_remove(home):
    archive = Archive(home)
    assert archive.runs() == []
    run = submit(home)
    assert [found.id for found in archive.runs()] == [run.id]
    run.remove()
    assert archive.runs() == []
    assert archive.find(run.inputs_hash) is None
    assert os.listdir(home / "runs") == []


def test_a_run_is_found_by_a_prefix_of_its_id(home):
    run = submit(home)
    archive = Archive(home)
    assert archive.get(run.id[:6]).id == run.id
    for wrong in ("", "zzz", "../" + run.id, "f" * 32, run.id + "0"):
        with pytest.raises(UnknownRun):
            archive.get(wrong)


def test_an_identical_request_joins_a_run_that_is_queued_running_or_done(home):
    first = submit(home, RunSettings(duration_ns=5, seed=3))
    assert not first.joined
    lock = Lock(first.folder / "worker.lock")
    for step in (lambda: None, lock.acquire, lambda: (lock.release(), finish(first))):
        step()
        same = submit(home, RunSettings(duration_ns=5.0, seed=3))
        assert (same.id, same.joined) == (first.id, True)
    assert submit(home, RunSettings(duration_ns=5.0, seed=4)).id != first.id
    assert submit(home, RunSettings(duration_ns=5.0, seed=3), reuse=False).id != first.id


def test_failed_cancelled_and_incomplete_runs_are_not_joined(home):
    failed = submit(home)
    failed.settle(RunState.FAILED, "why")
    cancelled = submit(home)
    cancelled.cancel()
    damaged = submit(home)
    finish(damaged)
    (damaged.folder / "positive_density.csv").unlink()
    last = submit(home)
    assert len({failed.id, cancelled.id, damaged.id, last.id}) == 4


def test_a_sweep_run_that_a_user_waits_for_becomes_interactive(home):
    run = submit(home, queue="sweep")
    assert run.queue == "sweep"
    assert submit(home, queue="sweep").queue == "sweep"
    assert submit(home).queue == "interactive"
    assert run.queue == "interactive"


def test_processes_that_submit_identical_requests_at_the_same_time_share_one_run(home):
    code = """if True:
        import sys, time
        from backend.runs.archive import Archive
        from backend.settings import RunSettings
        from backend.system import SlitSystem
        archive, system = Archive(), SlitSystem()
        print("ready", flush=True)
        sys.stdin.readline()
        print(*[archive.submit(system, RunSettings(seed=seed)).id for seed in range(20)])
    """
    submitters = [python(code, stdin=subprocess.PIPE) for _ in range(3)]
    for process in submitters:
        assert process.stdout.readline() == "ready\n"
    for process in submitters:
        process.stdin.write("\n")
        process.stdin.flush()
    answers = {process.communicate()[0] for process in submitters}
    assert len(answers) == 1
    assert sorted(answers.pop().split()) == sorted(run.id for run in Archive(home).runs())


def test_the_hash_depends_only_on_the_physics_and_the_engine():
    assert inputs_hash(SYSTEM, QUICK) == inputs_hash(SYSTEM.replace(), QUICK)
    assert inputs_hash(SYSTEM, QUICK) != inputs_hash(SYSTEM.replace(wall="plane"), QUICK)
    big = 2**62
    seeds = {inputs_hash(SYSTEM, RunSettings(seed=seed)) for seed in (big, big + 1)}
    assert len(seeds) == 2


@pytest.mark.parametrize(
    ("inputs", "key"),
    [
        ({}, "1feab52f3fe8c1f88409a0cc9a6a93fbf7f47a124ff2cf370787c00e194fef2a"),
        (
            {"positive_valency": 3, "positive_diameter": 0.5, "wall": "plane"},
            "6f428d0dbdb5759bd4cd64ce0b7c9faea0d44d3f891d4580d7dbaed2175e8e29",
        ),
    ],
)
def test_results_for_ions_of_equal_diameter_keep_their_keys(inputs, key):
    assert inputs_hash(SlitSystem(**inputs), RunSettings()) == key


@pytest.mark.parametrize(
    ("diameters", "key"),
    [
        ((0.744, 0.245), "9c1b808515212c6bc5874c16fd0f5445173269fbf6f34caf71e6dcb823d487f3"),
        ((0.245, 0.744), "6ec97bc61c01a4c1cd3bc5a9597c6a0fb00cbb99f97d07815b31ef86dc9c9b83"),
    ],
)
def test_results_whose_time_step_was_set_by_the_positive_ion_are_not_reused(home, diameters, key):
    unequal = SlitSystem(positive_diameter=diameters[0], negative_diameter=diameters[1])
    settings, archive = RunSettings(), Archive(home)
    stored = archive.submit(unequal, settings)
    finish(stored)
    assert archive.best_result(unequal, settings).id == stored.id
    earlier = stored.request | {"inputs_hash": key, "version": "0.1.0"}
    write_text(stored.folder / "run.json", json.dumps(earlier))
    later = Archive(home)
    assert later.best_result(unequal, settings) is None
    assert not later.submit(unequal, settings).joined


def test_another_version_shares_its_results_but_not_its_unfinished_runs(home):
    earlier = submit(home)
    write_text(earlier.folder / "run.json", json.dumps(earlier.request | {"version": "0.1.0"}))
    assert Archive(home).find(earlier.inputs_hash) is None
    assert not submit(home).joined
    finish(earlier)
    assert Archive(home).find(earlier.inputs_hash).id == earlier.id
    assert submit(home).id == earlier.id


def test_the_environment_sets_the_home(monkeypatch, tmp_path):
    monkeypatch.setenv("NANOCONF_HOME", str(tmp_path))
    assert default_home() == tmp_path
    monkeypatch.delenv("NANOCONF_HOME")
    assert default_home().name == "nanoconf"


# --- foreign and damaged folders ------------------------------------------------------------


def test_foreign_incomplete_copied_and_damaged_folders_are_ignored(home):
    run = submit(home)
    runs = home / "runs"
    (runs / "notes.txt").write_text("mine")
    (runs / ("a" * 32)).mkdir()
    (runs / ("b" * 32)).write_text("a file")
    (runs / f".new-{'c' * 32}").mkdir()
    shutil.copytree(run.folder, runs / ("d" * 32))
    for name, text in (("e", "{"), ("f", "[]"), ("1", '{"id": 5}')):
        folder = runs / (name * 32)
        folder.mkdir()
        (folder / "run.json").write_text(text)
    assert [found.id for found in Archive(home).runs()] == [run.id]
    with pytest.raises(UnknownRun):
        Archive(home).get("e" * 32)


def test_stale_files_from_crashes_are_removed(home):
    submit(home)
    old, young = home / "runs" / ".new-old", home / "runs" / ".removed-young"
    old.mkdir()
    young.mkdir()
    os.utime(old, (0, 0))
    Archive(home).remove_leftovers()
    assert not old.exists()
    assert young.exists()


@pytest.mark.parametrize("place", ["in a file", "read-only"])
def test_an_unwritable_home_gives_a_one_line_error(tmp_path, place):
    folder = tmp_path / place
    folder.write_text("") if place == "in a file" else folder.mkdir(mode=0o500)
    code = """if True:
        import sys
        from backend.runs.archive import Archive, UnusableHome
        from backend.settings import RunSettings
        from backend.system import SlitSystem
        try:
            Archive(sys.argv[1]).submit(SlitSystem(), RunSettings())
        except UnusableHome as error:
            print(error)
    """
    process = python(code, str(folder / "home"), preexec_fn=obey_permissions)
    output, problems = process.communicate()
    assert "cannot be written" in output and "NANOCONF_HOME" in output, problems
    assert output.count("\n") == 1


# --- the state of a run ---------------------------------------------------------------------


def test_the_state_follows_from_the_files(home):
    run = submit(home)
    lock = Lock(run.folder / "worker.lock")
    assert run.state == RunState.QUEUED
    assert lock.acquire()
    assert (run.state, run.finished) == (RunState.RUNNING, False)
    lock.release()
    write_text(run.folder / "progress.json", '{"phase": "sampling", "fraction": 0.5}')
    assert (run.state, run.interrupted) == (RunState.QUEUED, True)
    assert run.progress().fraction == 0.5
    finish(run)
    assert (run.state, run.finished, run.reason) == (RunState.DONE, True, "")
    assert run.result().system == SYSTEM


def test_requesting_a_missing_result_is_an_error(home):
    waiting, failed, cancelled, damaged = (
        submit(home, RunSettings(seed=seed)) for seed in range(4)
    )
    with pytest.raises(DamagedRun, match="queued"):
        waiting.result()
    failed.settle(RunState.FAILED, "an ion went through a wall")
    with pytest.raises(SimulationError, match="an ion went through a wall"):
        failed.result()
    cancelled.cancel()
    with pytest.raises(Cancelled):
        cancelled.result()
    finish(damaged)
    write_text(damaged.folder / "negative_density.csv", "nonsense")
    with pytest.raises(DamagedRun, match="cannot be read"):
        damaged.result()


def test_the_length_of_a_run_is_the_requested_one_until_it_has_a_result(home):
    run = submit(home, STEADY)
    assert (run.simulated_ns, run.length_ns) == (None, 2.0)
    finish(run)
    assert (run.simulated_ns, run.length_ns) == (None, 2.0)  # the result does not contain it
    for content in ('{"summary": {"simulated_ns": "long"}}', "[]", "not JSON"):
        write_text(run.folder / "result.json", content)
        assert run.length_ns == 2.0
    write_text(run.folder / "result.json", '{"summary": {"simulated_ns": 0.2}}')
    assert (run.simulated_ns, run.length_ns) == (0.2, 0.2)
    failed = submit(home, LONG)
    failed.settle(RunState.FAILED, "an ion went through a wall")
    assert failed.length_ns == LONG.duration_ns


@pytest.mark.parametrize(
    ("summary", "numbers"),
    [
        (
            '{"simulated_ns": 2, "median_relative_error": 0, "convergence": {"converged": false}}',
            Outcome(2.0, 0.0, False),
        ),
        ('{"simulated_ns": 2, "convergence": null}', Outcome(2.0)),
        ('{"simulated_ns": "x", "median_relative_error": NaN, "convergence": {}}', Outcome()),
        ("[]", Outcome()),
    ],
)
def test_the_main_numbers_of_a_result_can_be_read_without_its_profiles(home, summary, numbers):
    run = submit(home)
    assert run.outcome is None
    write_text(run.folder / "result.json", f'{{"summary": {summary}}}')
    assert run.outcome == numbers


def test_the_best_result_is_that_of_the_longest_simulation(home):
    early = simulated(home, STEADY, early=True)
    whole = simulated(home, replace(STEADY, duration_ns=0.5))
    assert early.length_ns < 0.25 and whole.length_ns > 0.45
    assert Archive(home).best_result(SYSTEM, LONG).id == whole.id


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"state": "lost"}', '{"state": "done"}'])
def test_a_damaged_failure_record_still_marks_a_failure(home, content):
    run = submit(home)
    (run.folder / "failure.json").write_text(content)
    assert run.state == RunState.FAILED
    assert "cannot be read" in run.reason


def test_a_queued_run_is_cancelled_at_once_without_a_keeper(home):
    run = submit(home)
    run.cancel()
    assert (run.state, run.reason) == (RunState.CANCELLED, "cancelled on request")
    run.cancel()
    assert read_json(run.folder / "failure.json")["state"] == RunState.CANCELLED


def test_only_the_holder_of_the_lock_can_end_a_run(home):
    run = submit(home)
    lock = Lock(run.folder / "worker.lock")
    lock.acquire()
    assert not run.settle(RunState.FAILED, "why")
    with pytest.raises(DamagedRun, match="cancel it first"):
        run.remove()
    assert run.state == RunState.RUNNING
    lock.release()
    assert run.settle(RunState.FAILED, "why")
    assert not run.settle(RunState.CANCELLED, "too late")
    assert run.state == RunState.FAILED


def test_a_result_takes_precedence_over_a_late_cancellation(home):
    run = submit(home)
    finish(run)
    run.cancel()
    assert run.state == RunState.DONE
    assert not (run.folder / "cancel").exists()


def test_crashes_before_a_reboot_do_not_count(home):
    run = submit(home)
    attempts = [
        {"boot": boot_id(), "ended": None},
        {"boot": boot_id(), "ended": "interrupted"},
        {"boot": "another", "ended": None},
    ]
    (run.folder / "attempts.json").write_text(json.dumps(attempts))
    assert run.crashes() == 1


def test_a_reboot_is_noticed_even_if_the_first_process_is_hidden(tmp_path):
    kernel = tmp_path / "sys" / "kernel" / "random"
    kernel.mkdir(parents=True)
    ids = []
    for boot in ("one", "two"):
        (kernel / "boot_id").write_text(f"{boot}\n")
        ids.append(boot_id(tmp_path))
    assert ids == ["one", "two"]


def test_the_log_tail_is_the_last_lines_of_the_log(home):
    run = submit(home)
    assert run.log_tail() == []
    (run.folder / "worker.log").write_text("".join(f"line {i}\n" for i in range(10000)))
    assert run.log_tail(2) == ["line 9998", "line 9999"]


def test_waiting_ends_at_its_timeout(home):
    run = submit(home, LONG)
    seen = []
    assert run.wait(timeout=0.3, on_progress=seen.append) == RunState.QUEUED
    assert set(seen) == {None}


# --- locks and files ------------------------------------------------------------------------


def test_testing_a_lock_does_not_acquire_it(tmp_path):
    path = tmp_path / "lock"
    assert not is_locked(path)
    lock, other = Lock(path), Lock(path)
    assert lock.acquire()
    assert is_locked(path) and not other.acquire()
    lock.release()
    assert not is_locked(path)
    assert other.acquire()
    other.release()


def test_a_lock_is_free_when_its_holder_is_killed(tmp_path):
    code = """if True:
        import sys
        from pathlib import Path
        from backend.locks import Lock
        lock = Lock(Path(sys.argv[1]))
        print(lock.acquire(), flush=True)
        sys.stdin.read()
    """
    holder = python(code, str(tmp_path / "lock"), stdin=subprocess.PIPE)
    assert holder.stdout.readline() == "True\n"
    assert is_locked(tmp_path / "lock")
    holder.kill()
    holder.communicate()
    assert not is_locked(tmp_path / "lock")


def test_a_writer_that_is_killed_leaves_the_old_file_or_the_new(tmp_path):
    code = """if True:
        import itertools, sys
        from pathlib import Path
        from backend.files import write_text
        for i in itertools.count():
            write_text(Path(sys.argv[1]), f"{i}\\n" * 200_000)
            print(i, flush=True)
    """
    path = tmp_path / "file"
    for lines in range(1, 6):
        writer = python(code, str(path))
        for _ in range(lines):
            writer.stdout.readline()
        # A little later each time, so that the process is killed at different places.
        writer.stdout.read(1)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        text = path.read_text().split("\n")
        assert len(set(text[:-1])) == 1 and len(text) == 200_001


def test_the_error_for_an_unusable_home_names_the_folder():
    with pytest.raises(UnusableHome, match="/dev/null/home"):
        Archive(Path("/dev/null/home")).prepare()


def test_a_queued_run_is_cancelled_while_others_test_its_lock(home):
    run = submit(home)
    with open(run.folder / "worker.lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        release = threading.Timer(0.05, fcntl.flock, (held, fcntl.LOCK_UN))
        release.start()
        run.cancel()
        release.join()
    assert run.state == RunState.CANCELLED
