"""Helpers for the tests of archive, worker, keeper and command line."""

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

from backend.keeper.election import stop_keeper
from backend.locks import is_locked
from backend.runs import local
from backend.runs.archive import Archive
from backend.runs.run import Run
from backend.settings import RunSettings
from backend.system import SlitSystem

SYSTEM = SlitSystem(positive_valency=3, positive_diameter=0.5)
"""A system with few ions."""

QUICK = RunSettings(duration_ns=0.001, replicas=1, time_step=0.02)
"""Settings of a run of a second or two, without physical meaning."""

LONG = RunSettings(duration_ns=100.0, replicas=1)
"""Settings of a run that does not end within a test."""

STEADY = RunSettings(duration_ns=2.0, replicas=1, time_step=0.02)
"""Settings of a run of a few seconds on an idle computer, long enough to be interrupted."""

UNSTABLE = RunSettings(
    duration_ns=0.01,
    replicas=1,
    time_step=0.02,
    thermostat="none",
    coulomb_split=9,
)
"""Settings of a run that fails: with this time step ions go through walls."""

PATIENCE = 600.0
"""Timeout of all waits (s): only a hang takes longer, even on a busy machine."""


def until(condition: Callable[[], object], what: str = "", patience: float = PATIENCE) -> None:
    """Wait until a condition holds, with pauses that leave the processor to what is awaited."""
    began = time.monotonic()
    deadline = began + patience
    while True:
        start = time.monotonic()
        if condition():
            return
        now = time.monotonic()
        assert now < deadline, f"waited {patience:g} s in vain: {what or condition}"
        time.sleep(min(max(0.02, 4 * (now - start), (now - began) / 20), 0.2))


def processes(of: Path, module: str = "backend.") -> list[psutil.Process]:
    """Return the workers and keepers with a folder, or one below it, on their command line."""
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
    """Return the processes with a word on their command line."""
    found = psutil.process_iter(["cmdline"])
    return [process for process in found if word in (process.info["cmdline"] or ())]


def keepers(home: Path) -> list[psutil.Process]:
    return processes(home, "backend.keeper")


def workers(home: Path) -> list[psutil.Process]:
    return processes(home, "backend.worker")


def kill(targets: list[psutil.Process]) -> None:
    """Kill processes, some of which may have ended already, and wait until all have ended."""
    for process in targets:
        with suppress(psutil.Error):
            process.kill()
    until(lambda: not any(map(alive, targets)), f"the end of {targets}")


def alive(process: psutil.Process) -> bool:
    """Return True if a process has not ended; a zombie has ended."""
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def kill_keeper(home: Path) -> None:
    """Kill the keeper of a home, and wait until its lock is free."""
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
    """Return a run that is done; if `early`, one that `Run.finish` ended."""
    run = submit(home, settings)
    if early:
        run.finish()
    assert local.start(run.folder).wait() == 0, run.log_tail()
    return run


def begun(run: Run) -> bool:
    """Return True if the worker of a run has started the simulation."""
    progress = run.progress()
    return progress is not None and progress.phase != "compiling"


def python(code: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start another Python process."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def obey_permissions() -> None:
    """Make root respect file permissions; to be called in a new process."""
    if os.geteuid() == 0:
        drop_capability, write_anywhere, read_anywhere = 24, 1, 2
        for capability in (write_anywhere, read_anywhere):
            ctypes.CDLL(None).prctl(drop_capability, capability, 0, 0, 0)


def interruptible():
    """Enable Ctrl-C, which is ignored in processes that a shell runs in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
