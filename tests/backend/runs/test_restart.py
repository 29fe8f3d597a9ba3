"""A run that was killed, stopped or disturbed resumes, and its result is unchanged."""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend import RESULTS_VERSION
from backend.engines.numba import engine
from backend.engines.numba.checkpoint import ENGINE_REVISION, Checkpoints
from backend.keeper.election import ensure_keeper, follow
from backend.runs import local
from backend.runs.run import Run
from backend.runs.run_state import RunState
from backend.runs.worker import INTERRUPTED
from backend.sampling.result import Cancelled, SimulationResult
from backend.sampling.schedule import Schedule
from backend.settings import RunSettings
from backend.system import canonical_hash
from tests.support.disks import small_disk
from tests.support.homes import LONG, QUICK, STEADY, SYSTEM, obey_permissions, python, submit, until

TWO_REPLICAS = replace(STEADY, duration_ns=0.4, replicas=2, snapshots=7)


@pytest.fixture(scope="module")
def undisturbed() -> SimulationResult:
    return engine.run(SYSTEM, TWO_REPLICAS)


@pytest.fixture(autouse=True)
def checkpoints_all_the_time(monkeypatch):
    monkeypatch.setenv("NANOCONF_CHECKPOINT_SECONDS", "0")


def stamp(run: Run) -> int | None:
    """Return a time stamp that changes with every checkpoint of the first replica."""
    with contextlib.suppress(FileNotFoundError):
        return (run.checkpoint_folder / "0.npz").stat().st_mtime_ns
    return None


def resumptions(run: Run) -> list[int]:
    """Return the steps from which workers resumed."""
    lines = (run.folder / "worker.log").read_text().splitlines()
    return [int(line.split()[-1]) for line in lines if "resumes from step" in line]


def outcome(run: Run) -> tuple[dict[str, str], dict]:
    """Return the files and the summary of a run without its timings."""
    result = run.result()
    return result.profiles.files(), {**result.summary.to_dict(), "timings": None}


def same(one: SimulationResult, other: SimulationResult) -> bool:
    """Return True if two results are equal bit for bit."""
    numbers, about = [], []
    for result in (one, other):
        profiles = result.profiles.by_species().values()
        numbers.append(np.array([(profile.density, profile.error) for profile in profiles]))
        steps = result.summary.timings.steps
        about.append(json.dumps({**result.summary.to_dict(), "timings": steps}))
    trajectories = [result.trajectory and result.trajectory.files() for result in (one, other)]
    return np.array_equal(*numbers) and about[0] == about[1] and trajectories[0] == trajectories[1]


def interrupt(settings: RunSettings, folder: Path, tallies: int, threads: int = 1) -> None:
    """Stop a run when a checkpoint of its first replica has more than `tallies` tallies."""

    def far_enough() -> bool:
        if not (folder / "0.npz").exists():
            return False
        with np.load(folder / "0.npz") as checkpoint:
            return checkpoint["tallies_done"] > tallies

    # a fast computer may have finished by then; its last checkpoint serves as well
    with contextlib.suppress(Cancelled):
        engine.run(SYSTEM, settings, threads=threads, checkpoint=folder, should_stop=far_enough)
    assert (folder / "0.npz").exists()


# --- killed and stopped runs ----------------------------------------------------------------


@pytest.mark.parametrize("kills", [6, pytest.param(20, marks=pytest.mark.long)])
def test_a_run_killed_at_many_random_times_has_the_same_result(home, kills):
    """It is killed in turns while it starts and soon after a new checkpoint."""
    moments = random.Random(20)
    settings = replace(STEADY, duration_ns=3.0)
    run, reference = submit(home, settings), submit(home, settings, reuse=False)
    other = local.start(reference.folder)
    for kill in range(kills):
        before, seconds = stamp(run), math.inf if kill % 2 else moments.uniform(0, 0.6)
        worker = local.start(run.folder)
        deadline = time.monotonic() + seconds
        until(
            lambda before=before, deadline=deadline: (
                stamp(run) != before or time.monotonic() > deadline
            ),
            "a new checkpoint",
        )
        time.sleep(moments.uniform(0, 0.02))
        worker.kill()
        worker.wait()
    assert run.state == RunState.QUEUED
    assert local.start(run.folder).wait() == 0
    assert other.wait() == 0
    assert outcome(run) == outcome(reference)
    steps = resumptions(run)
    assert len(set(steps)) >= kills // 2 and steps == sorted(steps)
    assert not run.checkpoint_folder.exists()
    assert not list(run.folder.rglob(".*"))


def test_the_keeper_resumes_a_terminated_worker_from_its_checkpoint(home, monkeypatch):
    monkeypatch.setenv("NANOCONF_CHECKPOINT_SECONDS", "1000")  # only the final one is written
    for duration in (4.0, 16.0, 64.0):  # the shorter may be over before the signal
        run = submit(home, replace(STEADY, replicas=2, duration_ns=duration))
        ensure_keeper(home)
        until(lambda run=run: run.progress() and run.progress().phase == "sampling")
        fraction = run.progress().fraction
        with contextlib.suppress(ProcessLookupError):
            os.kill(run.attempts()[0]["pid"], signal.SIGTERM)
        until(lambda run=run: run.attempts()[0].get("ended"), "the worker to end")
        if run.attempts()[0]["ended"] == "interrupted":
            break
    seen = []
    assert follow(run, seen.append) == RunState.DONE
    fractions = [progress.fraction for progress in seen]
    assert min(fractions) >= fraction and fractions == sorted(fractions)
    assert [attempt["ended"] for attempt in run.attempts()] == ["interrupted", "done"]
    assert len(resumptions(run)) == 2
    expected = engine.run(SYSTEM, run.settings)
    assert run.result().profiles.files() == expected.profiles.files()


SLOW_DISK = """
import sys, time
from backend.runs import worker
from backend.engines.numba.checkpoint import Checkpoints

def slowly(self, *arguments, save=Checkpoints.save):
    time.sleep(3)
    save(self, *arguments)

Checkpoints.save = slowly
sys.exit(worker.main(sys.argv[1:]))
"""


def test_a_terminated_worker_saves_its_last_step_even_on_a_slow_disk(home, monkeypatch):
    monkeypatch.setenv("NANOCONF_CHECKPOINT_SECONDS", "1000")  # only the final one is written
    run = submit(home, LONG)
    worker = python(SLOW_DISK, str(run.folder))
    until(lambda: run.progress() and run.progress().phase == "sampling")
    worker.terminate()
    worker.communicate()
    assert worker.returncode == INTERRUPTED
    assert stamp(run)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_run_interrupted_repeatedly_has_the_same_result(tmp_path, undisturbed, threads):
    for tallies in (-1, 0, 20, 60):
        interrupt(TWO_REPLICAS, tmp_path, tallies, threads)
    assert same(engine.run(SYSTEM, TWO_REPLICAS, checkpoint=tmp_path), undisturbed)


def test_a_resumed_run_checks_convergence_at_the_same_stages(tmp_path):
    """Checked while one replica is far ahead of the other, this run would end too early."""
    settings = replace(TWO_REPLICAS, duration_ns=4.0, target_error=0.01, seed=3)
    expected = engine.run(SYSTEM, settings)
    interrupt(settings, tmp_path, 80)
    (tmp_path / "1.npz").unlink()
    assert same(engine.run(SYSTEM, settings, checkpoint=tmp_path), expected)


@pytest.mark.parametrize("target", [None, 0.001])
def test_a_resumed_run_with_replicas_of_unequal_lengths_can_be_finished(tmp_path, target):
    settings = replace(TWO_REPLICAS, duration_ns=4.0, target_error=target, snapshots=0)
    interrupt(settings, tmp_path, 41)
    (tmp_path / "1.npz").unlink()
    done = Checkpoints(tmp_path, SYSTEM, settings, print).load(0)["tallies_done"]
    result = engine.run(SYSTEM, settings, checkpoint=tmp_path, should_finish=lambda: True)
    sampled = (done + 20) * Schedule.of(SYSTEM, settings).tally_ns(SYSTEM, settings)
    # less than a twentieth, at the start of the replicas, is in no block
    assert 0.95 * sampled < result.summary.simulated_ns < 1.001 * sampled
    assert len(result.residuals.left) >= 40


def test_energy_conservation_is_checked_against_the_initial_energy(tmp_path):
    settings = RunSettings(duration_ns=0.2, replicas=1, thermostat="none")
    expected = engine.run(SYSTEM, settings)
    interrupt(settings, tmp_path, 2)
    with np.load(tmp_path / "0.npz") as checkpoint:
        assert np.isfinite(checkpoint["first_energy"])
    assert same(engine.run(SYSTEM, settings, checkpoint=tmp_path), expected)


# --- checkpoints that cannot be used --------------------------------------------------------


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], flip, lambda b: b"", lambda b: b"nonsense" * 99]
)
def test_a_damaged_checkpoint_is_ignored_with_a_message(tmp_path, undisturbed, damage):
    interrupt(TWO_REPLICAS, tmp_path, 20, threads=2)
    checkpoint = tmp_path / "0.npz"
    checkpoint.write_bytes(damage(checkpoint.read_bytes()))
    logged: list[str] = []
    result = engine.run(SYSTEM, TWO_REPLICAS, checkpoint=tmp_path, log=logged.append)
    assert (
        "the checkpoint of replica 0 is damaged" in logged[0]
        and "starts from the beginning" in logged[0]
    )
    assert "replica 1 resumes from step" in logged[1]
    assert same(result, undisturbed)


def test_a_checkpoint_of_another_run_is_ignored_with_a_message(tmp_path):
    interrupt(TWO_REPLICAS, tmp_path, 20, threads=2)
    logged: list[str] = []
    other = replace(TWO_REPLICAS, seed=2)
    result = engine.run(SYSTEM, other, checkpoint=tmp_path, log=logged.append)
    assert [
        line for line in logged if "belongs to another run or another revision" in line
    ] == logged[:2]
    assert same(result, engine.run(SYSTEM, other))


@pytest.mark.parametrize(
    ("system", "fits"),
    [
        (SYSTEM, True),
        (SYSTEM.replace(negative_diameter=0.3), False),
        (SYSTEM.replace(negative_diameter=0.7), False),
    ],
    ids=["equal", "smaller negative", "larger negative"],
)
def test_a_checkpoint_whose_time_step_was_set_by_the_positive_ion_needs_equal_diameters(
    tmp_path, system, fits
):
    kind = {
        "system": system.to_dict(),
        "settings": QUICK.to_dict(),
        "version": RESULTS_VERSION,
        "engine": ENGINE_REVISION,
    }
    arrays = {"steps_done": np.array(7)}
    np.savez(tmp_path / "0.npz", kind=np.array([canonical_hash(kind), *arrays]), **arrays)
    logged: list[str] = []
    assert Checkpoints(tmp_path, system, QUICK, logged.append).load(0) == (arrays if fits else None)
    assert fits or "belongs to another run or another revision" in logged[0]


def test_nothing_is_unpickled(tmp_path):
    interrupt(QUICK, tmp_path, -1)
    np.savez(tmp_path / "0.npz", kind=np.array([{"not": "wanted"}], dtype=object))
    logged: list[str] = []
    engine.run(SYSTEM, QUICK, checkpoint=tmp_path, log=logged.append)
    assert "is damaged" in logged[0] and "pickle" in logged[0]


# --- disks ----------------------------------------------------------------------------------


def work_under(run: Run, prepare) -> subprocess.CompletedProcess:
    command = [sys.executable, "-P", "-m", "backend.worker", str(run.folder)]
    return subprocess.run(command, preexec_fn=prepare, capture_output=True, text=True, check=False)


def test_a_full_disk_leaves_no_partial_files(home):
    run = submit(home, STEADY)
    # files of more than 4 kB cannot be written: checkpoints and profiles, but not the rest
    limits = (4096, 4096)
    worker = work_under(run, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits))
    assert worker.returncode == 1
    assert worker.stdout.count("checkpoint cannot be written") == 1
    assert (run.state, run.error) == (RunState.FAILED, "cannot-write")
    assert "could not be written" in run.reason
    assert not run.checkpoint_folder.exists()
    assert not list(run.folder.rglob(".*"))


def test_a_run_on_a_full_disk_reports_the_cause_and_can_be_retried(tmp_path):
    with small_disk(tmp_path / "small", "600k") as folder:
        run = submit(folder, STEADY)
        filling = folder / "other files"
        # room for the progress, but not for profiles
        filling.write_bytes(bytes(shutil.disk_usage(folder).free - 90_000))
        assert work_under(run, None).returncode == 1
        assert (run.state, run.error) == (RunState.FAILED, "disk-full")
        assert "free some space" in run.reason
        assert not [file for file in run.folder.rglob("*") if file.suffix not in (".json", ".lock")]
        filling.unlink()
        again = submit(folder, STEADY)
        assert work_under(again, None).returncode == 0
        assert again.state == RunState.DONE


def test_a_checkpoint_that_fills_the_disk_is_deleted_to_make_room_for_the_result(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("NANOCONF_CHECKPOINT_SECONDS", "1000")
    with small_disk(tmp_path / "small", "600k") as folder:
        run = submit(folder, STEADY)
        run.checkpoint_folder.mkdir()
        checkpoint = bytes(shutil.disk_usage(folder).free - 60_000)
        (run.checkpoint_folder / "0.npz").write_bytes(checkpoint)
        worker = work_under(run, None)
        assert (worker.returncode, run.state) == (0, RunState.DONE), worker.stdout
        assert not run.checkpoint_folder.exists()


def test_a_run_that_cannot_write_checkpoints_warns_and_completes(home):
    run = submit(home, STEADY)
    run.checkpoint_folder.mkdir(mode=0o500)
    worker = work_under(run, obey_permissions)
    assert worker.returncode == 0
    assert worker.stdout.count("checkpoint cannot be written") == 1
    assert run.state == RunState.DONE


@pytest.mark.long
def test_a_run_that_compiles_the_engine_has_the_same_result(tmp_path):
    code = (
        "from backend.engines.numba.engine import run;"
        "from tests.support.homes import QUICK, SYSTEM;"
        "print(run(SYSTEM, QUICK).positive.density.tobytes().hex())"
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    first, second = (
        subprocess.check_output([sys.executable, "-c", code], env=environment) for _ in range(2)
    )
    assert first == second
