"""A run keeps its word wherever it is carried out: the same tests here and on a real Slurm.

Whatever carries runs out is killed at will: the keeper, the worker, whoever asked for the run.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend.cluster.config import VARIABLE
from backend.cluster.destination import destination, status_in_words
from backend.engines.numba import engine
from backend.files import read_json
from backend.runs.archive import Archive
from backend.runs.keeper import MAXIMUM_CRASHES, ensure_keeper, follow
from backend.runs.run import DamagedRun, Run
from backend.runs.state import RunState
from backend.settings import RunSettings
from tests.support.desk import NAME, write_config
from tests.support.homes import (
    LONG,
    PATIENCE,
    QUICK,
    STEADY,
    SYSTEM,
    UNSTABLE,
    alive,
    begun,
    keepers,
    kill,
    kill_keeper,
    processes,
    python,
    until,
)
from tests.support.slurm import SlurmCluster


class Place:
    """Where runs are carried out: on this computer, or on the tests' Slurm.

    Parameters
    ----------
    home : Path
        The home, whose keeper is a process, as everywhere.
    slurm : SlurmCluster, optional
        The cluster; None for this computer.
    """

    def __init__(self, home: Path, slurm: SlurmCluster | None = None):
        self.home, self.slurm, self.archive = home, slurm, Archive(home)
        self.name = None if slurm is None else NAME
        self.flags = [] if slurm is None else ["--cluster"]
        self.runs: list[Run] = []

    def submit(self, settings: RunSettings = QUICK) -> Run:
        """Ask for a run. Whether there is a keeper is another matter."""
        where: dict[str, Any] = destination(self.name, SYSTEM, settings)
        self.runs.append(self.archive.submit(SYSTEM, settings, **where))
        return self.runs[-1]

    def start(self, settings: RunSettings) -> Run:
        """Ask for a run, and wait until it is seen to be under way."""
        run = self.submit(settings)
        ensure_keeper(self.home)
        until(
            lambda: run.finished or (run.state == RunState.RUNNING and begun(run)),
            "the run to begin",
        )
        return run

    def waits(self, run: Run) -> bool:
        """Whether a run is seen to wait for its turn."""
        said = status_in_words(run).startswith("pending: Resources")
        return run.state == RunState.QUEUED and (said or self.slurm is None)

    def folder(self, run: Run) -> Path:
        """Where the workers of a run write."""
        return run.folder if self.slurm is None else self.slurm.home / "work" / "runs" / run.id

    def attempts(self, run: Run) -> list[dict[str, Any]]:
        """The workers that have begun a run, as they note it where they are."""
        with suppress(OSError):
            return read_json(self.folder(run) / "attempts.json")
        return run.attempts()

    def kill_worker(self, run: Run) -> None:
        """Kill the worker that began a run last."""
        with suppress(ProcessLookupError):
            os.kill(self.attempts(run)[-1]["pid"], signal.SIGKILL)

    def once(self, run: Run) -> bool:
        """Whether a run was sent once, and begun once."""
        sent = self.slurm is None or self.slurm.submissions(run.cluster_status()["job"]) == 1
        return sent and len(run.attempts()) == 1

    def at_rest(self) -> bool:
        """Whether nobody works on a run any more, and nothing is left on the cluster."""
        if any(processes(self.folder(run), "backend.worker") for run in self.runs):
            return False
        left = [*(self.home / "jobs").glob("*"), *map(self.folder, self.runs)]
        return self.slurm is None or not any(path.exists() for path in left)


@pytest.fixture(params=["local", "cluster"])
def place(request, home, monkeypatch):
    """This computer, with as many cores as the cluster has; or the cluster."""
    monkeypatch.setenv("NANOCONF_CORES", "2")
    if request.param == "local":
        return Place(home)
    slurm = request.getfixturevalue("cluster")
    home.mkdir()
    monkeypatch.setenv(VARIABLE, str(write_config(home / "clusters.toml", slurm)))
    return Place(home, slurm)


@pytest.fixture(scope="module")
def undisturbed():
    return engine.run(SYSTEM, STEADY).positive.density


def come_to(run: Run, fraction: float) -> bool:
    """Whether a run has come so far."""
    progress = run.progress()
    return progress is not None and progress.fraction >= fraction


# --- from the beginning to the end ----------------------------------------------------------


def test_a_run_gives_what_the_engine_gives(place):
    run = place.submit()
    assert run.state == RunState.QUEUED
    seen = []
    assert follow(run, seen.append) == RunState.DONE, run.reason
    expected = engine.run(SYSTEM, QUICK).positive
    assert run.result().positive.density.shape == (300,)
    assert run.result().positive.density == pytest.approx(expected.density, rel=1e-6)
    assert any(seen)
    assert place.once(run) and run.attempts()[0]["ended"] == "done"
    assert "done" in run.log_tail()[-1]
    until(place.at_rest)


def test_a_run_that_fails_says_why(place):
    run = place.submit(UNSTABLE)
    assert follow(run) == RunState.FAILED
    assert run.error in ("ion-through-wall", "not-finite", "too-many-pairs", "temperature")
    assert "time step" in run.reason


def test_a_run_is_watched_cancelled_and_removed(place):
    run = place.start(LONG)
    until(lambda: run.partial_profiles() is not None)
    first = run.progress()
    assert 0 < first.fraction < 1
    assert any("sampling" in line for line in run.log_tail())
    until(lambda: run.progress() != first)
    with pytest.raises(DamagedRun, match="cancel it first"):
        run.remove()
    run.cancel()
    assert run.wait(PATIENCE) == RunState.CANCELLED
    assert run.reason == "cancelled on request"
    until(place.at_rest)
    run.remove()
    assert follow(place.submit()) == RunState.DONE
    assert [run.state for run in place.archive.runs()] == [RunState.DONE]


def test_a_run_that_waits_is_cancelled_and_never_begins(place):
    running = place.start(replace(LONG, replicas=2))
    waiting = place.submit(replace(LONG, replicas=2, seed=2))
    until(lambda: place.waits(waiting))
    waiting.cancel()
    assert waiting.wait(PATIENCE) == RunState.CANCELLED
    assert not waiting.attempts() and running.state == RunState.RUNNING


def test_a_run_that_no_keeper_has_seen_is_cancelled_and_never_sent(place):
    run = place.submit(LONG)
    run.cancel()
    assert follow(run) == RunState.CANCELLED
    assert not run.cluster_status() and not run.log_tail()


# --- equal runs -----------------------------------------------------------------------------


def test_equal_runs_are_one_run(place):
    first, second = place.submit(), place.submit()
    assert first.id == second.id and second.joined


def test_two_who_want_the_same_get_one_result(place):
    code = """if True:
        import sys
        from nanoconf import SlitSystem, simulate
        system = SlitSystem(positive_valency=3, positive_diameter=0.5)
        where = {"cluster": sys.argv[1]} if sys.argv[1:] else {}
        quick = {"duration_ns": 0.001, "replicas": 1, "time_step": 0.02}
        print(simulate(system, **quick, **where).positive.density.tolist())
    """
    names = [place.name] if place.name else []
    both = [python(code, *names) for _ in range(2)]
    first, second = (each.communicate(timeout=PATIENCE) for each in both)
    assert first[0] == second[0] != "", first[1]
    (run,) = place.archive.runs()
    assert run.state == RunState.DONE and place.once(run)


# --- what is killed -------------------------------------------------------------------------


def test_keepers_killed_all_the_time_never_lead_to_two_workers(place):
    """Each is left half as long again as the one before, so that the last can finish."""
    run, seconds = place.submit(STEADY), 0.3
    while not run.finished:
        ensure_keeper(place.home)
        run.wait(seconds)
        kill_keeper(place.home)
        seconds *= 1.5
    assert run.state == RunState.DONE, run.reason
    assert place.once(run)


def test_a_killed_worker_is_replaced_and_the_result_is_the_same(place, undisturbed):
    """Killed at a random moment, twice."""
    moments = random.Random(os.getpid())
    run = place.submit(STEADY)
    ensure_keeper(place.home)
    for deaths in range(1, MAXIMUM_CRASHES):
        until(lambda n=deaths: run.finished or len(place.attempts(run)) == n)
        fraction = moments.choice([0.0, 0.1, 0.5, 0.9])
        until(lambda f=fraction: run.finished or come_to(run, f))
        place.kill_worker(run)
    assert follow(run) == RunState.DONE, run.reason
    assert run.attempts()[-1]["ended"] == "done"
    assert run.result().positive.density == pytest.approx(undisturbed, rel=1e-6)


def test_a_run_whose_workers_keep_dying_fails_with_a_reason(place):
    run = place.submit(LONG)
    ensure_keeper(place.home)
    for deaths in range(1, MAXIMUM_CRASHES + 1):
        until(lambda n=deaths: len(place.attempts(run)) == n)
        place.kill_worker(run)
    assert run.wait(PATIENCE) == RunState.FAILED
    assert run.error == "crashed"
    assert f"died {MAXIMUM_CRASHES} times" in run.reason
    assert len(run.attempts()) == MAXIMUM_CRASHES


def test_a_command_killed_with_its_keeper_is_finished_by_the_next(place, tmp_path):
    words = ["simulate", *place.flags, "-p", "3", "-d", "0.5", "--duration-ns", "2"]
    words += ["--set", "replicas=1", "--set", "time_step=0.02", "-o", str(tmp_path / "out")]
    command = [sys.executable, "-m", "nanoconf", *words]
    first = subprocess.Popen(command, start_new_session=True)
    until(lambda: any(place.attempts(run) for run in place.archive.runs()), "a worker to begin")
    os.killpg(first.pid, signal.SIGKILL)  # as when a terminal is closed, or a server killed
    kill(keepers(place.home))
    first.wait()
    second = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert second.returncode == 0, second.stderr
    assert f"profiles in {tmp_path / 'out'}" in second.stdout
    (run,) = place.archive.runs()
    assert run.state == RunState.DONE and place.once(run)
    assert read_json(tmp_path / "out" / "run.json")["where"] == (place.name or "local")


def test_a_run_goes_on_when_whoever_started_its_keeper_is_killed(place):
    code = """if True:
        import sys, time
        from pathlib import Path
        from backend.runs.keeper import ensure_keeper
        ensure_keeper(Path(sys.argv[1]))
        print(flush=True)
        time.sleep(60)
    """
    run = place.submit()
    caller = python(code, str(place.home), start_new_session=True)
    caller.stdout.readline()
    os.killpg(caller.pid, signal.SIGKILL)
    caller.communicate()
    assert run.wait(PATIENCE) == RunState.DONE, run.reason


# --- folders that are not as they should be ---------------------------------------------------


def test_a_run_whose_folder_is_deleted_ends(place):
    run = place.start(LONG)
    worker = psutil.Process(place.attempts(run)[0]["pid"])
    run.folder.rename(doomed := place.home / "doomed")
    shutil.rmtree(doomed)
    until(lambda: not alive(worker))
    until(place.at_rest)
    assert follow(place.submit()) == RunState.DONE


def test_odd_folders_do_not_keep_others_waiting(place):
    odd, other, good = (place.submit(replace(QUICK, seed=seed)) for seed in (1, 2, 3))
    (odd.folder / "run.json").write_text("{")
    (other.folder / "worker.lock").mkdir()  # nobody can ever have it
    assert follow(good) == RunState.DONE
