"""Checkpoints, from which a killed run resumes and reaches the same result bit for bit.

Each file, ``<index>.npz``, holds what advances together: a replica, or all replicas of a run.
"""

from __future__ import annotations

import os
import struct
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from backend import RESULTS_VERSION
from backend.files import written_whole
from backend.settings import RunSettings
from backend.system import SlitSystem, canonical_hash
from backend.untrusted import open_file

INTERVAL_SECONDS = 10.0
"""Time between checkpoints of a replica unless ``NANOCONF_CHECKPOINT_SECONDS`` is set."""

TIME_SHARE = 0.02
"""Largest fraction of the time spent on writing; long runs have large checkpoints."""

LARGEST_BYTES = 1 << 30

UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    RuntimeError,
    struct.error,
    zipfile.BadZipFile,
)
"""Exceptions that reading a damaged file may raise."""


def interval_seconds() -> float:
    """Return the seconds between checkpoints: ``NANOCONF_CHECKPOINT_SECONDS`` if set."""
    try:
        return max(0.0, float(os.environ["NANOCONF_CHECKPOINT_SECONDS"]))
    except (KeyError, ValueError):
        return INTERVAL_SECONDS


class Checkpoints:
    """Checkpoints of one run.

    Parameters
    ----------
    folder : Path
        Folder of the checkpoints, created with the first one.
    system, settings
        The simulated system and the settings of the run. A checkpoint of another run or another
        revision of the engine is ignored.
    log : callable
        Called with a line of text if a checkpoint is ignored or cannot be written.

    Attributes
    ----------
    revision : str
        Revision of the engine, which its subclass sets. Replace it with any other text when equal
        inputs give different numbers than before, or when a checkpoint holds different arrays.
        Otherwise leave it unchanged, so that an update does not restart interrupted runs.
    """

    revision = ""

    def __init__(
        self,
        folder: Path,
        system: SlitSystem,
        settings: RunSettings,
        log: Callable[[str], None] = lambda line: None,
    ):
        self.folder = folder
        self._run = {
            "system": system.key(),
            "settings": settings.to_dict(),
            "version": RESULTS_VERSION,
        }
        self._kind = self.fingerprint(self.revision)
        self._log = log
        self._problem = ""
        self._interval = interval_seconds()
        self._due = [time.monotonic() + self._interval] * settings.replicas

    def load(self, index: int) -> dict[str, np.ndarray] | None:
        """Return the saved arrays of a replica; None if there is no usable checkpoint."""
        path = self._path(index)
        if not path.exists():
            return None
        try:
            kind, arrays = _read(path)
            if self.usable(kind, arrays):
                return arrays
            problem = "belongs to another run or another revision of the engine"
        except UNREADABLE as error:
            problem = f"is damaged ({error})"
        self._log(
            f"the checkpoint of replica {index} {problem}: the replica starts from the beginning"
        )
        return None

    def fingerprint(self, revision: str) -> str:
        """Return the fingerprint of a checkpoint of this run that a revision has written."""
        return canonical_hash({**self._run, "engine": revision})

    def usable(self, kind: str, arrays: Mapping[str, np.ndarray]) -> bool:
        """Return True if the engine can resume from arrays with a fingerprint."""
        return kind == self._kind

    def due(self, index: int) -> bool:
        """Return True if the next checkpoint of a replica is due."""
        return time.monotonic() >= self._due[index]

    def save(self, index: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Save a replica; if that fails, log it and let the run continue."""
        began = time.monotonic()
        contents: dict[str, Any] = {**arrays, "kind": np.array([self._kind, *arrays])}
        try:
            self.folder.mkdir(exist_ok=True)
            with written_whole(self._path(index)) as stream:
                np.savez(stream, **contents)
            self._problem = ""
        except OSError as error:
            # logged once: a full disk may stay full for hours
            if not self._problem:
                self._log(f"checkpoint cannot be written: {error}")
            self._problem = str(error)
        ended = time.monotonic()
        self._due[index] = ended + max(self._interval, (ended - began) / TIME_SHARE)

    def _path(self, index: int) -> Path:
        return self.folder / f"{index}.npz"


def _read(path: Path) -> tuple[str, dict[str, np.ndarray]]:
    """Return the fingerprint and the arrays of a file; raise if any content is damaged."""
    with open_file(path, LARGEST_BYTES) as stream:
        with zipfile.ZipFile(stream) as archive:
            # otherwise a damaged array header could request any amount of memory
            if damaged := archive.testzip():
                raise ValueError(f"{damaged} is corrupt")
        stream.seek(0)
        with np.load(stream, allow_pickle=False) as contents:
            kind, *names = contents["kind"]
            return str(kind), {name: contents[name] for name in names}
