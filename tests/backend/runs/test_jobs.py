"""Runs are reliable everywhere: on this computer, on a real Slurm, and behind a stand-in `submit`.

The tests kill the keeper, the worker and the process that submitted the run.
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
from backend.keeper.election import ensure_keeper, follow
from backend.keeper.local_runs import MAXIMUM_CRASHES
from backend.runs.archive import Archive
from backend.runs.run import DamagedRun, Run
from backend.runs.run_state import RunState
from backend.settings import RunSettings
from tests.support import hub
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
from tests.support.hub import Hub
from tests.support.slurm import SlurmCluster


class Place:
    """Place where runs are executed: this computer.

    Parameters
    ----------
    home : Path
        Home folder, with a keeper in a separate process.
    """

    name: str | None = None
    """Name of the cluster; None for this computer."""

    def __init__(self, home: Path):
        self.home, self.archive = home, Archive(home)
        self.flags = [] if self.name is None else ["--cluster"]
        self.runs: list[Run] = []

    def submit(self, settings: RunSettings = QUICK) -> Run:
        """Submit a run without starting a keeper."""
        where: dict[str, Any] = destination(self.name, SYSTEM, settings)
        self.runs.append(self.archive.submit(SYSTEM, settings, **where))
        return self.runs[-1]

    def start(self, settings: RunSettings) -> Run:
        """Submit a run, and wait until it is running."""
        run = self.submit(settings)
        ensure_keeper(self.home)
        until(
            lambda: run.finished or (run.state == RunState.RUNNING and begun(run)),
            "the run to start",
        )
        return run

    def waits(self, run: Run) -> bool:
        """Return True if a run is queued."""
        return run.state == RunState.QUEUED

    def folder(self, run: Run) -> Path:
        """Return the folder in which the workers of a run write."""
        return run.folder

    def attempts(self, run: Run) -> list[dict[str, Any]]:
        """Return the attempts of a run, as its workers record them."""
        with suppress(OSError):
            return read_json(self.folder(run) / "attempts.json")
        return run.attempts()

    def kill_worker(self, run: Run) -> None:
        """Kill the last worker of a run."""
        with suppress(ProcessLookupError):
            os.kill(self.attempts(run)[-1]["pid"], signal.SIGKILL)

    def once(self, run: Run) -> bool:
        """Return True if a run was submitted once and started once."""
        return len(run.attempts()) == 1

    def at_rest(self) -> bool:
        """Return True if no run has a worker and nothing is left of its job."""
        working = any(processes(self.folder(run), "backend.worker") for run in self.runs)
        return not working and not any(path.exists() for path in self.left())

    def left(self) -> list[Path]:
        """Return the files of jobs that are removed in the end."""
        return []


class SlurmPlace(Place):
    """The tests' Slurm."""

    name = NAME

    def __init__(self, home: Path, slurm: SlurmCluster):
        super().__init__(home)
        self.slurm = slurm

    def waits(self, run: Run) -> bool:
        return super().waits(run) and status_in_words(run).startswith("pending: Resources")

    def folder(self, run: Run) -> Path:
        return self.slurm.home / "work" / "runs" / run.id

    def once(self, run: Run) -> bool:
        return super().once(run) and self.slurm.submissions(run.cluster_status()["job"]) == 1

    def left(self) -> list[Path]:
        return [*(self.home / "jobs").glob("*"), *map(self.folder, self.runs)]


class HubPlace(Place):
    """A hub with the stand-in for `submit`."""

    name = hub.NAME

    def __init__(self, home: Path, of: Hub):
        super().__init__(home)
        self.hub = of

    def waits(self, run: Run) -> bool:
        return super().waits(run) and status_in_words(run).startswith("pending (job")

    def folder(self, run: Run) -> Path:
        return self.hub.scratch(run.id)

    def once(self, run: Run) -> bool:
        return super().once(run) and self.hub.submissions(run.cluster_status()["job"]) == 1

    def left(self) -> list[Path]:
        return [*(self.home / "jobs").glob("*"), *(self.home / "submit").glob("*/*")]


BRIEFLY = (
    "test_a_run_returns_the_result_of_the_engine",
    "test_repeatedly_killed_keepers_never_start_two_workers",
)
"""Tests that are not long behind `submit`; the others run on this computer and on Slurm, too."""


def pytest_generate_tests(metafunc):
    if "place" in metafunc.fixturenames:
        marks = [] if metafunc.function.__name__ in BRIEFLY else [pytest.mark.long]
        places = ["local", "cluster", pytest.param("submit", marks=marks)]
        metafunc.parametrize("place", places, indirect=True)


@pytest.fixture
def place(request, home, tmp_path, monkeypatch):
    """Return this computer, with as many cores as the clusters, or one of these."""
    monkeypatch.setenv("NANOCONF_CORES", "2")
    if request.param == "local":
        yield Place(home)
        return
    home.mkdir()
    if request.param == "cluster":
        slurm = request.getfixturevalue("cluster")
        monkeypatch.setenv(VARIABLE, str(write_config(home / "clusters.toml", slurm)))
        yield SlurmPlace(home, slurm)
        return
    stand_in = Hub(tmp_path / "hub", monkeypatch)
    monkeypatch.setenv(VARIABLE, str(hub.write_config(home / "clusters.toml")))
    yield HubPlace(home, stand_in)
    kill(keepers(home))  # it would go on to ask for what the hub is about to end
    stand_in.close()


@pytest.fixture(scope="module")
def undisturbed():
    return engine.run(SYSTEM, STEADY).positive.density


def come_to(run: Run, fraction: float) -> bool:
    """Return True if a run has completed a fraction of its steps."""
    progress = run.progress()
    return progress is not None and progress.fraction >= fraction


# --- undisturbed runs -----------------------------------------------------------------------


def test_a_run_returns_the_result_of_the_engine(place):
    run = place.submit()
    assert run.state == RunState.QUEUED
    assert follow(run) == RunState.DONE, run.reason
    expected = engine.run(SYSTEM, QUICK).positive
    assert run.result().positive.density.shape == (300,)
    assert run.result().positive.density == pytest.approx(expected.density, rel=1e-6)
    assert place.once(run) and run.attempts()[0]["ended"] == "done"
    assert "done" in run.log_tail()[-1]
    until(place.at_rest)


def test_a_failed_run_has_a_reason(place):
    run = place.submit(UNSTABLE)
    assert follow(run) == RunState.FAILED
    assert run.error in ("ion-through-wall", "not-finite", "too-many-pairs", "temperature")
    assert "time step" in run.reason


def test_a_run_can_be_followed_and_cancelled_and_removed(place):
    run = place.start(replace(STEADY, duration_ns=100.0))  # its first profile comes early
    until(lambda: run.partial_profiles() is not None)
    first = run.progress()
    assert 0 < first.fraction < 1
    assert any("sampling" in line for line in run.log_tail())
    until(lambda: run.progress() != first)
    with pytest.raises(DamagedRun, match="cancel it first"):
        run.remove()

    def cancel(progress):
        if progress is not None:
            run.cancel()

    assert follow(run, cancel) == RunState.CANCELLED
    assert run.reason == "cancelled on request"
    until(place.at_rest)
    run.remove()
    assert follow(place.submit()) == RunState.DONE
    assert [run.state for run in place.archive.runs()] == [RunState.DONE]


def test_a_cancelled_queued_run_never_starts(place):
    running = place.start(replace(LONG, replicas=2))
    waiting = place.submit(replace(LONG, replicas=2, seed=2))
    until(lambda: place.waits(waiting))
    waiting.cancel()
    assert waiting.wait(PATIENCE) == RunState.CANCELLED
    assert not waiting.attempts() and running.state == RunState.RUNNING


def test_a_cancelled_run_is_never_submitted(place):
    run = place.submit(LONG)
    run.cancel()
    assert follow(run) == RunState.CANCELLED
    assert not run.cluster_status() and not run.log_tail()


# --- equal runs -----------------------------------------------------------------------------


def test_identical_runs_are_simulated_once(place):
    first, second = place.submit(), place.submit()
    assert first.id == second.id and second.joined


def test_two_identical_requests_share_one_result(place):
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


# --- killed processes -----------------------------------------------------------------------


def test_repeatedly_killed_keepers_never_start_two_workers(place):
    """Each keeper lives 1.5 times as long as the one before, so that the last can finish."""
    run, seconds = place.submit(STEADY), 0.3
    while not run.finished:
        ensure_keeper(place.home)
        run.wait(seconds)
        kill_keeper(place.home)
        seconds *= 1.5
    assert run.state == RunState.DONE, run.reason
    assert place.once(run)


def test_a_killed_worker_is_replaced_without_changing_the_result(place, undisturbed):
    """The worker is killed twice, at random times."""
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


def test_the_next_command_finishes_the_run_of_a_killed_one(place, tmp_path):
    words = ["simulate", *place.flags, "-p", "3", "-d", "0.5", "--duration-ns", "2"]
    words += ["--set", "replicas=1", "--set", "time_step=0.02", "-o", str(tmp_path / "out")]
    command = [sys.executable, "-m", "nanoconf", *words]
    first = subprocess.Popen(command, start_new_session=True)
    until(lambda: any(place.attempts(run) for run in place.archive.runs()), "a worker to begin")
    os.killpg(first.pid, signal.SIGKILL)  # as if a terminal were closed or a server killed
    kill(keepers(place.home))
    first.wait()
    second = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert second.returncode == 0, second.stderr
    assert f"profiles in {tmp_path / 'out'}" in second.stdout
    (run,) = place.archive.runs()
    assert run.state == RunState.DONE and place.once(run)
    assert read_json(tmp_path / "out" / "run.json")["where"] == (place.name or "local")


def test_a_run_outlives_the_process_that_started_its_keeper(place):
    code = """if True:
        import sys, time
        from pathlib import Path
        from backend.keeper.election import ensure_keeper
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


# --- deleted and damaged folders ------------------------------------------------------------


def test_a_run_ends_when_its_folder_is_deleted(place):
    run = place.start(LONG)
    worker = psutil.Process(place.attempts(run)[0]["pid"])
    run.folder.rename(doomed := place.home / "doomed")
    shutil.rmtree(doomed)
    until(lambda: not alive(worker))
    until(place.at_rest)
    assert follow(place.submit()) == RunState.DONE


def test_damaged_folders_do_not_delay_other_runs(place):
    odd, other, good = (place.submit(replace(QUICK, seed=seed)) for seed in (1, 2, 3))
    (odd.folder / "run.json").write_text("{")
    (other.folder / "worker.lock").mkdir()  # no process can acquire it
    assert follow(good) == RunState.DONE
