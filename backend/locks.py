"""File locks that the operating system releases when their holder dies.

The filelock package cannot be used here: a worker on a cluster node has only NumPy, SciPy and
Numba, and `is_locked` needs a shared lock to test a lock without acquiring it.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Self

RETRY_SECONDS = 0.02


class Lock:
    """Exclusive lock (flock) on a file, which is created if missing and never deleted.

    Parameters
    ----------
    path : Path
        The lock file.
    """

    def __init__(self, path: Path):
        self.path = path
        self._handle: int | None = None

    def acquire(self, wait_seconds: float | None = 0.0) -> bool:
        """Acquire the lock; return False if it is not free in time (None: wait without limit).

        `is_locked` holds a shared lock for an instant, which makes `acquire` fail. Pass a short
        wait where this matters.
        """
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o644)
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
        """Release the lock."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    @property
    def handle(self) -> int:
        """Descriptor of the lock file; a process that inherits it holds the lock, too."""
        assert self._handle is not None
        return self._handle

    def write(self, text: str) -> None:
        """Replace the content of the lock file, a description of the holder."""
        assert self._handle is not None
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, text.encode(), 0)

    def file_exists(self) -> bool:
        """Return False if the lock file has been deleted, for example with its folder."""
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
    """Return True if a process holds the lock; a missing file is not locked."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # never wait for a pipe
    except FileNotFoundError:
        return False
    try:
        # A shared lock: two processes that test at once must not mistake each other for a holder.
        return not _flock(handle, fcntl.LOCK_SH)
    finally:
        os.close(handle)


def _flock(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
