"""A worker brings a run to exactly one end in all circumstances."""

import os
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.engines.numba import engine
from backend.files import write_json
from backend.locks import Lock, is_locked
from backend.profiles.charge import ChargeProfile
from backend.runs import local
from backend.runs.run import Run
from backend.runs.run_state import RunState
from backend.runs.worker import INTERRUPTED
from backend.system import SPECIES
from tests.support.homes import (
    LONG,
    PATIENCE,
    QUICK,
    STEADY,
    SYSTEM,
    UNSTABLE,
    begun,
    obey_permissions,
    submit,
    until,
)

REPOSITORY = Path(__file__).parents[3]

RESULT = {
    "positive_density.csv",
    "negative_density.csv",
    "p_density_profile.dat",
    "n_density_profile.dat",
    "charge.csv",
    "blocks.npz",
    "histogram.csv",
    "result.json",
}


def work(run: Run, **options: object) -> subprocess.Popen:
    return local.start(run.folder, **options)


def rewrite(run: Run, **changes: object) -> None:
    """Change the request in the run folder."""
    write_json(run.folder / "run.json", run.request | changes)


def test_a_run_ends_with_all_files_of_its_result(home):
    run = submit(home)
    assert work(run).wait() == 0
    assert run.state == RunState.DONE
    files = set(os.listdir(run.folder))
    assert files >= RESULT | {"run.json", "worker.log", "progress.json", "attempts.json"}
    assert "partial" not in files
    assert not [name for name in files if name.startswith(".")]
    assert [attempt["ended"] for attempt in run.attempts()] == ["done"]
    log = "\n".join(run.log_tail(100))
    assert "confinement_length 3.0" in log and "71 positive and 213 negative ions" in log


def test_the_result_is_that_of_the_engine(home):
    run = submit(home)
    work(run).wait()
    expected = engine.run(SYSTEM, QUICK)
    for species in SPECIES:
        found, true = getattr(run.result(), species), getattr(expected, species)
        np.testing.assert_allclose(found.density, true.density, rtol=1e-7, atol=1e-12)
        np.testing.assert_allclose(found.error, true.error, rtol=1e-7, atol=1e-12)
    assert np.array_equal(run.result().residuals.left, expected.residuals.left)


def test_a_result_from_a_version_without_blocks_can_be_read(home):
    run = submit(home)
    work(run).wait()
    for name in ("charge.csv", "blocks.npz", "histogram.csv"):
        (run.folder / name).unlink()
    assert run.has_result_files()
    assert run.result().residuals is None
    assert np.all(np.isfinite(run.result().charge.potential))


def test_progress_and_profiles_can_be_read_during_a_run(home):
    run = submit(home, replace(STEADY, duration_ns=100.0))
    worker = work(run)
    until(lambda: run.partial_profiles() and run.progress().phase == "sampling")
    progress = run.progress()
    assert 0 < progress.fraction < 1
    assert progress.steps_per_second > 0
    profiles = run.partial_profiles()
    assert profiles.positive.density.shape == (300,)
    charge = run.partial_charge(profiles)
    np.testing.assert_array_equal(
        charge.potential, ChargeProfile.of(run.system, profiles).potential
    )
    for errors in (charge.density_error, charge.integrated_error, charge.potential_error):
        assert np.isfinite(errors).all() and errors.max() > 0
    assert run.state == RunState.RUNNING
    run.cancel()
    worker.wait()


@pytest.mark.parametrize("moment", ["at the start", "while it runs"])
def test_a_cancelled_run_ends_without_a_result(home, moment):
    run = submit(home, LONG)
    worker = work(run)
    until(lambda: begun(run) if moment == "while it runs" else run.state == RunState.RUNNING)
    run.cancel()
    assert run.wait(PATIENCE) == RunState.CANCELLED
    assert worker.wait(PATIENCE) == 0
    assert run.reason == "cancelled on request"
    assert not RESULT & set(os.listdir(run.folder))


def test_cancelling_does_not_wait_for_the_compiler(home, monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "empty"))
    run = submit(home, LONG)
    worker = work(run)
    until(lambda: any("box" in line for line in run.log_tail()), "the engine to begin")
    run.cancel()
    assert run.wait(PATIENCE) == RunState.CANCELLED
    assert worker.wait(PATIENCE) == 0
    assert not begun(run)


def test_a_terminated_worker_leaves_a_queued_run_that_the_next_resumes(home):
    run = submit(home, LONG)
    worker = work(run)
    until(lambda: begun(run))
    worker.terminate()
    assert worker.wait(PATIENCE) == 75
    assert (run.state, run.interrupted, run.crashes()) == (RunState.QUEUED, True, 0)
    assert run.attempts()[0]["ended"] == "interrupted"
    again = work(run)
    until(lambda: run.state == RunState.RUNNING and len(run.attempts()) == 2)
    run.cancel()
    assert again.wait(PATIENCE) == 0


def test_a_paused_worker_leaves_a_queued_run_that_the_next_resumes(home):
    run = submit(home, STEADY)
    run.pause()  # meant for an earlier worker
    worker = work(run)
    until(lambda: begun(run))
    assert not run.pause_requested
    run.pause()
    assert worker.wait() == INTERRUPTED
    assert run.state == RunState.QUEUED and run.attempts()[0]["ended"] == "interrupted"
    assert work(run).wait() == 0
    assert (
        run.state == RunState.DONE
        and "resumes from step" in (run.folder / "worker.log").read_text()
    )


def test_a_killed_worker_leaves_a_run_that_the_next_finishes(home):
    run = submit(home, STEADY)
    worker = work(run)
    until(lambda: run.progress() is not None)
    worker.kill()
    worker.wait()
    (run.folder / ".result.json.half").write_text("{")
    assert (run.state, run.interrupted, run.crashes()) == (RunState.QUEUED, True, 1)
    assert work(run).wait() == 0
    assert run.state == RunState.DONE
    assert not (run.folder / ".result.json.half").exists()


def test_only_one_of_two_workers_gets_the_run(home):
    run = submit(home)
    both = [work(run), work(run)]
    assert [worker.wait() for worker in both] == [0, 0]
    assert run.state == RunState.DONE
    assert len(run.attempts()) == 1


def test_a_finished_run_is_not_executed_again(home):
    run = submit(home)
    run.cancel()
    before = (run.folder / "failure.json").read_bytes()
    assert work(run).wait() == 0
    assert (run.folder / "failure.json").read_bytes() == before
    assert run.attempts() == []


def test_a_run_cancelled_before_its_start_never_starts(home):
    run = submit(home)
    (run.folder / "cancel").touch()
    assert work(run).wait() == 0
    assert run.state == RunState.CANCELLED
    assert run.attempts() == []


# --- failures -------------------------------------------------------------------------------


def test_an_error_of_the_engine_is_recorded_as_the_reason(home):
    run = submit(home, UNSTABLE)
    assert work(run).wait() == 1
    assert run.state == RunState.FAILED
    assert run.error in ("ion-through-wall", "not-finite")
    assert "smaller time step" in run.reason
    assert "\n" not in run.reason


def test_invalid_input_is_recorded_as_the_reason(home):
    run = submit(home)
    rewrite(run, system=run.request["system"] | {"salt_concentration": 9.0})
    assert work(run).wait() == 1
    assert run.error == "bad-input"
    assert run.reason.startswith("salt_concentration = 9.0: must lie between")


def test_a_request_from_another_version_is_refused(home):
    run = submit(home)
    rewrite(run, version="0.0.0")
    assert work(run).wait() == 1
    assert run.error == "other-version"
    assert "requested by nanoconf 0.0.0" in run.reason and "repeat the run" in run.reason


def test_an_unexpected_error_is_reported_in_detail(home, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("import backend.system as s; s.SPECIES = None\n")
    before = os.environ.get("PYTHONPATH", "")
    path = os.pathsep.join(filter(None, [str(tmp_path), str(REPOSITORY), before]))
    monkeypatch.setenv("PYTHONPATH", path)
    run = submit(home)
    assert work(run).wait() == 1
    assert run.error == "unexpected"
    assert run.reason.startswith("unexpected ") and "\n" not in run.reason
    assert "Traceback" in run.failure()["detail"]


def test_a_result_that_cannot_be_written_fails_the_run_and_leaves_no_partial_result(home):
    run = submit(home)
    # Files of more than 4 kB cannot be written: the profiles are larger, the rest is not.
    command = [sys.executable, "-P", "-m", "backend.worker", str(run.folder)]
    limit = 4096
    worker = subprocess.run(
        command,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert worker.returncode == 1, worker.stdout
    assert run.state == RunState.FAILED
    assert "could not be written" in run.reason
    assert not [name for name in os.listdir(run.folder) if name.startswith(".")]


def test_an_unwritable_folder_is_reported_in_one_line(home):
    run = submit(home)
    run.folder.chmod(0o500)
    command = [sys.executable, "-P", "-m", "backend.worker", str(run.folder)]
    worker = subprocess.run(
        command, preexec_fn=obey_permissions, capture_output=True, text=True, check=False
    )
    run.folder.chmod(0o700)
    assert worker.returncode == 1
    assert "cannot be written" in worker.stderr
    assert worker.stderr.count("\n") == 1
    assert run.state == RunState.QUEUED


def test_a_folder_without_a_run_is_refused(tmp_path):
    command = [sys.executable, "-P", "-m", "backend.worker", str(tmp_path)]
    worker = subprocess.run(command, capture_output=True, text=True, check=False)
    assert worker.returncode == 1
    assert "run.json cannot be read" in worker.stderr


def test_removing_a_run_stops_its_worker(home):
    run = submit(home, LONG)
    worker = work(run)
    until(lambda: begun(run))
    os.rename(run.folder, home / "elsewhere")
    assert worker.wait(PATIENCE) == 0


# --- the lock, priority ---------------------------------------------------------------------


def test_the_lock_is_held_for_the_lifetime_of_a_worker(home):
    run = submit(home, LONG)
    worker = work(run)
    until(lambda: begun(run))
    assert is_locked(run.folder / "worker.lock")
    run.cancel()
    until(lambda: not is_locked(run.folder / "worker.lock"))
    assert run.state == RunState.CANCELLED
    assert worker.wait(PATIENCE) == 0


def test_testing_the_lock_does_not_stop_a_worker(home):
    run = submit(home)
    lock = Lock(run.folder / "worker.lock")
    lock.acquire()
    worker = work(run)
    assert worker.poll() is None
    lock.release()
    assert worker.wait() == 0
    assert run.state == RunState.DONE


def test_a_signal_before_the_start_is_not_a_crash(home):
    run = submit(home)
    worker = work(run)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(PATIENCE) in (75, -signal.SIGTERM)
    assert (run.state, run.crashes()) == (RunState.QUEUED, 0)
