"""Checkpoints: a run that is killed goes on from them, to bit for bit the same result.

Each replica has a file of its own, ``<index>.npz``, so that none waits for another: replicas do not
depend on each other.
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

from backend import __version__
from backend.files import written_whole
from backend.settings import RunSettings
from backend.system import SlitSystem, canonical_hash

ENGINE_REVISION = "0ec9d63a3594846e1f9d7a4cbcc184ad5f6035066e91c83eca6303ebd69bfb17"
"""Revision of the engine, part of every checkpoint's fingerprint.

Replace it by any other text whenever equal inputs give other numbers than before, or a checkpoint
holds other arrays. Edits that leave the numbers alone keep it, so that updates do not restart
interrupted runs.
"""

INTERVAL_SECONDS = 10.0
"""Time between two checkpoints of a replica unless ``NANOCONF_CHECKPOINT_SECONDS`` is set."""

TIME_SHARE = 0.02
"""Share of the time that writing may take: long runs have large checkpoints."""

UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    RuntimeError,
    struct.error,
    zipfile.BadZipFile,
)
"""What reading a damaged file raises."""


def interval_seconds() -> float:
    """Seconds between two checkpoints; ``NANOCONF_CHECKPOINT_SECONDS`` where it is set."""
    try:
        return max(0.0, float(os.environ["NANOCONF_CHECKPOINT_SECONDS"]))
    except (KeyError, ValueError):
        return INTERVAL_SECONDS


class Checkpoints:
    """The checkpoints of one run.

    Parameters
    ----------
    folder : Path
        Where they lie; made with the first of them.
    system, settings
        What is simulated, and how: a checkpoint of anything else is left aside, and so is one
        that another version of the engine wrote.
    say : callable
        Told, in a line, why a checkpoint is left aside or cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        system: SlitSystem,
        settings: RunSettings,
        say: Callable[[str], None] = lambda line: None,
    ):
        self.folder = folder
        self._kind = canonical_hash(
            {
                "system": system.key(),
                "settings": settings.to_dict(),
                "version": __version__,
                "engine": ENGINE_REVISION,
            }
        )
        self._say = say
        self._problem = ""
        self._interval = interval_seconds()
        self._due = [time.monotonic() + self._interval] * settings.replicas

    def load(self, index: int) -> dict[str, np.ndarray] | None:
        """The arrays that were saved of a replica; None where there are none that fit."""
        path = self._path(index)
        if not path.exists():
            return None
        try:
            kind, arrays = _read(path)
            if kind == self._kind:
                return arrays
            problem = "is of another run, or of another engine"
        except UNREADABLE as error:
            problem = f"is damaged ({error})"
        self._say(f"the checkpoint of replica {index} {problem}: it starts anew")
        return None

    def due(self, index: int) -> bool:
        """Whether it is time to save a replica again."""
        return time.monotonic() >= self._due[index]

    def save(self, index: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Save a replica; a run that cannot be saved goes on, and says so."""
        began = time.monotonic()
        contents: dict[str, Any] = {**arrays, "kind": np.array([self._kind, *arrays])}
        try:
            self.folder.mkdir(exist_ok=True)
            with written_whole(self._path(index)) as stream:
                np.savez(stream, **contents)
            self._problem = ""
        except OSError as error:
            # said once: a full disk may stay full for hours
            if not self._problem:
                self._say(f"checkpoint cannot be written: {error}")
            self._problem = str(error)
        ended = time.monotonic()
        self._due[index] = ended + max(self._interval, (ended - began) / TIME_SHARE)

    def _path(self, index: int) -> Path:
        return self.folder / f"{index}.npz"


def _read(path: Path) -> tuple[str, dict[str, np.ndarray]]:
    """Kind and arrays of a file; an exception where anything in it has changed or is missing."""
    with zipfile.ZipFile(path) as archive:
        # a damaged header of an array could otherwise ask for any amount of memory
        if damaged := archive.testzip():
            raise ValueError(f"{damaged} has changed")
    with np.load(path, allow_pickle=False) as contents:
        kind, *names = contents["kind"]
        return str(kind), {name: contents[name] for name in names}
