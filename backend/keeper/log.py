"""The keeper's log, ``keeper.log`` in the archive folder."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from backend.untrusted import one_line

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


@dataclass
class LogOnce:
    """Writes lines to the log of a home, each only once, even across keepers."""

    home: Path
    _written: set[str] = field(default_factory=set)

    def __call__(self, text: str) -> None:
        """Write a line, unless it is in the log."""
        text = one_line(text)
        if text in self._written:
            return
        self._written.add(text)
        try:
            earlier = (self.home / "keeper.log").read_text(encoding="utf-8", errors="replace")
        except OSError:
            earlier = ""
        if f" {text}\n" not in earlier:
            log(text)
