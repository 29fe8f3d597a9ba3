"""Start, stop and find the keeper of a home.

The keeper holds ``keeper.lock``, so a home never has two. `ensure_keeper` starts it in its own
session; it exits when it has been idle for a while. All its state is in the run folders, so it can
be killed at any moment: the next `ensure_keeper` starts another.

A keeper works with the environment that it was started in: version, Python installation and
variables such as ``NANOCONF_CORES``. A process that submits a run from another environment replaces
the keeper; one that is only waiting accepts any keeper, so that two keepers never alternate.
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

from backend.environment import check_environment, fingerprint
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


def ensure_keeper(
    home: Path, *, idle_seconds: float = IDLE_SECONDS, any_environment: bool = False
) -> None:
    """Start the keeper of a home unless a keeper of this environment is running.

    Call it after submitting, and periodically while waiting; it is cheap.

    Parameters
    ----------
    home : Path
        The folder of the archive.
    idle_seconds : float
        Idle time after which the keeper exits (s).
    any_environment : bool
        Accept a keeper that was started in another environment.

    Raises
    ------
    InvalidInput
        An environment variable has a value that is not allowed.
    UnusableHome
        The archive folder cannot be written to.
    """
    check_environment()
    Archive(home).prepare()
    lock_file = home / "keeper.lock"
    if is_locked(lock_file):
        if any_environment or _is_ours(_holder(lock_file)):
            return
        stop_keeper(home)
    command = [sys.executable, "-P", "-m", "backend.keeper", str(home), "--idle", str(idle_seconds)]
    command += ["--environment", fingerprint()]
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


def resume_runs(archive: Archive) -> None:
    """Start a keeper if there is none and runs are not finished, whoever submitted them.

    Pages call it: after a crash or a restart of the computer, nobody else may be waiting for them.

    Raises
    ------
    InvalidInput, UnusableHome
        See `ensure_keeper`.
    """
    if is_locked(archive.home / "keeper.lock"):
        return
    if any(not run.finished for run in archive.runs()):
        ensure_keeper(archive.home, any_environment=True)


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
    """Wait for a run to end, starting a keeper whenever there is none; return the state.

    Raises
    ------
    UnusableHome
        The run cannot start, because the archive folder is full or cannot be written to.
    """
    archive = Archive(run.folder.parent.parent)
    deadline = None if timeout is None else time.monotonic() + timeout
    waited = False
    while True:
        if not run.finished:
            ensure_keeper(archive.home, any_environment=waited)
            waited = True
        if run.state == RunState.QUEUED:
            archive.check_room()
        left = REELECTION_SECONDS if deadline is None else deadline - time.monotonic()
        state = run.wait(max(0.0, min(left, REELECTION_SECONDS)), on_progress)
        if run.finished or left <= 0:
            return state


def _holder(lock_file: Path) -> dict:
    """Return the content of the keeper's lock file: ``pid``, ``version`` and ``environment``."""
    try:
        about = read_json(lock_file)
    except (OSError, ValueError):
        return {}  # just elected, and about to write
    return about if isinstance(about, dict) else {}


def _is_ours(holder: dict) -> bool:
    """Return True for a keeper of this environment, or one that has not written its entry yet."""
    return not holder or holder.get("environment") == fingerprint()


def _is_keeper(pid: int) -> bool:
    """Check that a process is a keeper, not one that has reused the PID of a dead keeper."""
    import psutil

    try:
        return not MODULES.isdisjoint(psutil.Process(pid).cmdline())
    except psutil.Error:
        return False
