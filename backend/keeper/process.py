"""The keeper's process: acquire the lock, poll until there is nothing to do, exit."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from backend import __version__
from backend.environment import fingerprint
from backend.keeper.keeper import Keeper
from backend.keeper.log import log
from backend.keeper.logins import accept_logins
from backend.locks import Lock
from backend.runs.archive import Archive

POLL_SECONDS = 0.2
POLL_SHARE = 0.05
"""Share of a core that polling may take, however many runs are waiting. CPU time is what counts: on
a busy computer a poll takes a long time, but new runs must not wait for that."""

RETRY_SECONDS = 5.0
"""Pause after an error."""


def keep(home: Path, idle_seconds: float, environment: str = "") -> int:
    """Run as the keeper of a home until it has been idle for a while; return the exit status.

    Parameters
    ----------
    home : Path
        The folder of the archive.
    idle_seconds : float
        Idle time after which the keeper exits (s).
    environment : str
        `fingerprint` of the process that starts the keeper; by default, that of this one.
    """
    archive = Archive(home)
    archive.prepare()
    lock = Lock(home / "keeper.lock")
    # Wait for a keeper that is exiting, and for `ensure_keeper`, which probes the lock.
    if not lock.acquire(wait_seconds=1.0):
        return 0
    environment = environment or fingerprint()
    described = _describe(lock, environment)
    log(f"keeper of {home}, nanoconf {__version__}, process {os.getpid()}")
    archive.remove_leftovers()
    stop_requested = _stop_signal()
    keeper = Keeper(archive)
    _accept_logins(keeper)
    last_busy = time.monotonic()
    while lock.file_exists():
        described = described or _describe(lock, environment)
        busy, pause = _poll(keeper)
        if busy:
            last_busy = time.monotonic()
        if time.monotonic() - last_busy >= idle_seconds and _leave(keeper, lock):
            log("nothing to do: exiting")
            return 0
        if stop_requested(pause):
            log("stopped; workers keep running")
            return 0
    return 0


def _describe(lock: Lock, environment: str) -> bool:
    """Write this process and its environment to the lock file; return False on a full disk."""
    about = {"pid": os.getpid(), "version": __version__, "environment": environment}
    with contextlib.suppress(OSError):
        lock.write(json.dumps(about) + "\n")
        return True
    return False


def _poll(keeper: Keeper) -> tuple[bool, float]:
    """Poll once; return True if a run is open, and the pause until the next poll."""
    began, used = time.monotonic(), time.thread_time()
    try:
        busy = keeper.poll()
    except Exception:
        # The next poll may succeed, for example when a disk is available again.
        log(traceback.format_exc())
        return False, RETRY_SECONDS
    took, used = time.monotonic() - began, time.thread_time() - used
    return busy, max(POLL_SECONDS, took, used / POLL_SHARE)


def _accept_logins(keeper: Keeper) -> None:
    try:
        accept_logins(keeper.archive.home, keeper.log_in)
    except OSError as error:
        log(f"logins to clusters are not possible: {error}")


def _leave(keeper: Keeper, lock: Lock) -> bool:
    """Release the lock, unless a run has just been submitted.

    Submissions are blocked meanwhile, so any later submission finds ``keeper.lock`` free.
    """
    with keeper.archive.submission_lock():
        if keeper.poll():
            return False
        lock.release()
        return True


def _stop_signal() -> Callable[[float], bool]:
    """Return a function that waits and returns True once this process is asked to end."""
    pipe, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return lambda seconds: bool(select.select([pipe], [], [], seconds)[0])
