"""What the tests of archive, worker, keeper and command line share."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from backend.locks import is_locked
from backend.runs import local
from backend.runs.archive import Archive
from backend.runs.keeper import stop_keeper
from backend.runs.run import Run
from backend.settings import RunSettings
from backend.system import SlitSystem

SYSTEM = SlitSystem(positive_valency=3, positive_diameter=0.5)
"""A system with few ions."""

QUICK = RunSettings(duration_ns=0.001, replicas=1, time_step=0.02)
"""Over in a second or two; no settings to learn physics from."""

LONG = RunSettings(duration_ns=100.0, replicas=1)
"""Never over within a test."""

STEADY = RunSettings(duration_ns=2.0, replicas=1, time_step=0.02)
"""Takes a few seconds on a quiet computer, long enough to be disturbed."""

UNSTABLE = RunSettings(
    duration_ns=0.01,
    replicas=1,
    time_step=0.02,
    thermostat="none",
    coulomb_split=9,
)
"""Fails: with so long a time step ions go through walls."""

PATIENCE = 600.0
"""Seconds to wait for anything: only a hang takes longer, however busy the machine is."""


def until(condition: Callable[[], object], what: str = "", patience: float = PATIENCE) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"waited {patience:g} s in vain: {what or condition}"
        time.sleep(0.01)


def processes(of: Path, module: str = "backend.") -> list[psutil.Process]:
    """Workers and keepers that have a folder, or one below it, on their command line."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if any(word.startswith(module) for word in words) and any(str(of) in w for w in words):
            found.append(process)
    return found


def running(word: str) -> list[psutil.Process]:
    """Processes with a word on their command line."""
    found = psutil.process_iter(["cmdline"])
    return [process for process in found if word in (process.info["cmdline"] or ())]


def keepers(home: Path) -> list[psutil.Process]:
    return processes(home, "backend.runs.keeper")


def workers(home: Path) -> list[psutil.Process]:
    return processes(home, "backend.worker")


def kill(doomed: list[psutil.Process]) -> None:
    """Kill processes, of which some may have ended by themselves, and wait until they are gone."""
    for process in doomed:
        with suppress(psutil.Error):
            process.kill()
    until(lambda: not any(map(alive, doomed)), f"the end of {doomed}")


def alive(process: psutil.Process) -> bool:
    """Whether a process has not ended; one that nobody has waited for yet has."""
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def kill_keeper(home: Path) -> None:
    """Kill the keeper of a home, and wait until another may take its place."""
    kill(keepers(home))
    until(lambda: not is_locked(home / "keeper.lock"), "the keeper to be gone")


def clean_up(home: Path) -> None:
    """End the keeper and the workers of a home."""
    stop_keeper(home)
    kill(processes(home))
    until(lambda: not processes(home), "processes to end")


def submit(home: Path, settings: RunSettings = QUICK, **options: Any) -> Run:
    return Archive(home).submit(SYSTEM, settings, **options)


def simulated(home: Path, settings: RunSettings, *, early: bool = False) -> Run:
    """A run that is done; `early`: ended with `Run.finish` as soon as it had a result."""
    run = submit(home, settings)
    if early:
        run.finish()
    assert local.start(run.folder).wait() == 0, run.log_tail()
    return run


def begun(run: Run) -> bool:
    """Whether a worker is past its start."""
    progress = run.progress()
    return progress is not None and progress.phase != "compiling"


def python(code: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start another Python."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def obey_permissions() -> None:
    """In a new process: take from root its power to write where it may not."""
    if os.geteuid() == 0:
        drop_capability, write_anywhere = 24, 1
        ctypes.CDLL(None).prctl(drop_capability, write_anywhere, 0, 0, 0)


def interruptible():
    """Hear Ctrl-C, even in tests that a shell runs in the background, where it is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
