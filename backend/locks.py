"""Locks that the system releases by itself when their holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Self

RETRY_SECONDS = 0.02


class Lock:
    """An exclusive lock (flock) on a file, which is made if missing and never deleted.

    Parameters
    ----------
    path : Path
        The lock file.
    """

    def __init__(self, path: Path):
        self.path = path
        self._handle: int | None = None

    def acquire(self, wait_seconds: float | None = 0.0) -> bool:
        """Take the lock; False when somebody else keeps it for so long (None: wait for ever).

        `is_locked` holds a lock for an instant to look at it, so whoever must not be turned away
        by a mere look waits a moment.
        """
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        deadline = None if wait_seconds is None else time.monotonic() + wait_seconds
        try:
            while not _flock(handle, fcntl.LOCK_EX):
                if deadline is not None and time.monotonic() >= deadline:
                    os.close(handle)
                    return False
                time.sleep(RETRY_SECONDS)
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def write(self, text: str) -> None:
        """Say in the lock file who holds it."""
        assert self._handle is not None
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, text.encode(), 0)

    def still_there(self) -> bool:
        """Whether the lock file is still the one that is held: not deleted with its folder."""
        assert self._handle is not None
        try:
            now = os.stat(self.path)
        except OSError:
            return False
        return os.path.samestat(os.fstat(self._handle), now)

    def __enter__(self) -> Self:
        self.acquire(wait_seconds=None)
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock; a file that is not there is not locked."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        # A shared lock, so that two who look do not take each other for the holder.
        return not _flock(handle, fcntl.LOCK_SH)
    finally:
        os.close(handle)


def _flock(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
