"""A full disk is reported, and runs start when there is room again."""

import os
import shutil
import subprocess
import sys

import pytest

from backend.keeper.election import ensure_keeper, follow
from backend.runs.archive import Archive, UnusableHome
from backend.runs.run_state import RunState
from nanoconf.gui.services.work import Work
from nanoconf.gui.state import AppState
from tests.support.disks import small_disk
from tests.support.homes import (
    LONG,
    PATIENCE,
    QUICK,
    STEADY,
    SYSTEM,
    begun,
    clean_up,
    submit,
    until,
)


@pytest.fixture
def disk(tmp_path, monkeypatch):
    """A home on a disk of its own, of 2 MB."""
    with small_disk(tmp_path / "small", "2m") as folder:
        monkeypatch.setenv("NANOCONF_HOME", str(folder))
        yield folder
        (folder / "other files").unlink(missing_ok=True)
        clean_up(folder)


def fill(disk):
    """Fill the disk to the last byte."""
    with open(disk / "other files", "wb", buffering=0) as stream:
        while (free := shutil.disk_usage(disk).free) > 0:
            stream.write(bytes(free))


def test_nothing_is_submitted_to_a_full_disk(disk, tmp_path):
    archive = Archive(disk)
    archive.prepare()
    fill(disk)
    with pytest.raises(UnusableHome, match=r"No space left.*free some space.*NANOCONF_HOME"):
        submit(disk)
    assert archive.runs() == [] and os.listdir(disk / "runs") == []
    command = [sys.executable, "-m", "nanoconf", "simulate", "-o", str(tmp_path / "output")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2
    assert "free some space" in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "output").exists() and archive.runs() == []


def test_a_queued_run_is_reported_on_a_full_disk_and_starts_when_there_is_room(disk):
    run = submit(disk)
    fill(disk)
    for _ in range(2):
        with pytest.raises(UnusableHome, match=r"No space left.*free some space"):
            follow(run)
    assert (run.state, run.attempts()) == (RunState.QUEUED, [])
    (disk / "other files").unlink()
    assert run.wait(PATIENCE) == RunState.DONE  # by the keeper that was waiting for room


def test_a_command_does_not_wait_for_a_run_on_a_full_disk(disk, tmp_path):
    run = Archive(disk).submit(SYSTEM, QUICK)
    fill(disk)
    options = ["-p", "3", "-d", "0.5", "--duration-ns", "0.001", "--replicas", "1"]
    options += ["--set", "time_step=0.02", "-o", str(tmp_path / "output")]
    command = [sys.executable, "-m", "nanoconf", "simulate", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"nanoconf: run {run.id} is waiting: the archive folder ")
    assert "free some space" in done.stderr and done.stderr.count("\n") == 1


def test_a_run_ends_even_if_the_disk_fills_up_meanwhile(disk):
    run = submit(disk, STEADY)
    ensure_keeper(disk)
    until(lambda: begun(run))
    fill(disk)
    try:
        state = follow(run)
    except UnusableHome:  # there was not even room for the reason: the run waits and resumes
        (disk / "other files").unlink()
        state = follow(run)
    assert state == RunState.DONE or (state, run.error) == (RunState.FAILED, "disk-full")


def test_the_page_shows_that_the_disk_is_full(disk, monkeypatch):
    monkeypatch.setattr(AppState, "system", SYSTEM)
    monkeypatch.setattr(AppState, "settings", LONG)
    monkeypatch.setattr("nanoconf.gui.services.watch.KEEPER_SECONDS", 0.0)
    state = AppState()
    work = Work(state, Archive(disk))
    work.run()
    until(lambda: state.simulation and state.simulation.state == RunState.RUNNING)
    assert "free some space" not in state.status
    fill(disk)
    until(lambda: "free some space" in state.status, "the page to show the full disk")
    assert state.mood == "bad" and state.simulating
    (disk / "other files").unlink()
    until(lambda: "free some space" not in state.status, "the page to show that there is room")
    work.cancel()
    until(lambda: not state.simulating)
    work.close()
