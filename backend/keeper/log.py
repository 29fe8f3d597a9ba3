"""The keeper's log, ``keeper.log`` in the archive folder."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

MAXIMUM_BYTES = 1_000_000


def log_file(home: Path) -> Path:
    """Return the path of the log; a log that has grown too long is renamed first."""
    path = home / "keeper.log"
    if path.exists() and path.stat().st_size > MAXIMUM_BYTES:
        os.replace(path, home / "keeper.log.1")
    return path


def log(text: str) -> None:
    """Write a line to standard output, which is the log."""
    with contextlib.suppress(OSError):  # the keeper continues on a full disk
        print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}", flush=True)
