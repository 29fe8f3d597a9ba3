"""Start, stop and find the keeper of a home.

The keeper holds ``keeper.lock``, so a home never has two. `ensure_keeper` starts it in its own
session; it exits when it has been idle for a while. All its state is in the run folders, so it can
be killed at any moment: the next `ensure_keeper` starts another.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from backend import __version__
from backend.files import read_json
from backend.keeper.log import log_file
from backend.locks import is_locked
from backend.runs.archive import Archive
from backend.runs.run import Run
from backend.runs.run_state import RunState

if TYPE_CHECKING:
    from backend.sampling.result import Progress

IDLE_SECONDS = 60.0
REELECTION_SECONDS = 5.0
"""Interval at which `follow` makes sure that a keeper is running (s)."""

MODULES = {"backend.keeper", "backend.runs.keeper"}
"""Module names on the command line of a keeper of this or an earlier version."""


def ensure_keeper(home: Path, *, idle_seconds: float = IDLE_SECONDS) -> None:
    """Start the keeper of a home unless a keeper of this version is running.

    Call it after submitting, and periodically while waiting; it is cheap.

    Parameters
    ----------
    home : Path
        The folder of the archive.
    idle_seconds : float
        Idle time after which the keeper exits (s).
    """
    Archive(home).prepare()
    lock_file = home / "keeper.lock"
    if is_locked(lock_file):
        version = _holder(lock_file).get("version", __version__)
        if version == __version__:
            return
        stop_keeper(home)  # another version would not understand this version's workers
    command = [sys.executable, "-P", "-m", "backend.keeper", str(home), "--idle", str(idle_seconds)]
    with open(log_file(home), "ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home,
            start_new_session=True,
        )
    # reaps the keeper if it ends before this process
    threading.Thread(target=process.wait, daemon=True).start()


def stop_keeper(home: Path, timeout: float = 5.0) -> bool:
    """Stop the keeper of a home, but not its workers; return True once no keeper is running."""
    lock_file = home / "keeper.lock"
    deadline = time.monotonic() + timeout
    signalled = None
    while is_locked(lock_file):
        pid = _holder(lock_file).get("pid")
        if pid is not None and pid != signalled and _is_keeper(pid):
            os.kill(pid, signal.SIGTERM)
            signalled = pid
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True


def follow(
    run: Run,
    on_progress: Callable[[Progress | None], None] | None = None,
    timeout: float | None = None,
) -> RunState:
    """Wait for a run to end, starting a keeper whenever there is none; return the state."""
    home = run.folder.parent.parent
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        if not run.finished:
            ensure_keeper(home)
        left = REELECTION_SECONDS if deadline is None else deadline - time.monotonic()
        state = run.wait(max(0.0, min(left, REELECTION_SECONDS)), on_progress)
        if run.finished or left <= 0:
            return state


def _holder(lock_file: Path) -> dict:
    """Return the content of the keeper's lock file: ``pid`` and ``version``."""
    try:
        about = read_json(lock_file)
    except (OSError, ValueError):
        return {}  # just elected, and about to write
    return about if isinstance(about, dict) else {}


def _is_keeper(pid: int) -> bool:
    """Check that a process is a keeper, not one that has reused the PID of a dead keeper."""
    import psutil

    try:
        return not MODULES.isdisjoint(psutil.Process(pid).cmdline())
    except psutil.Error:
        return False
