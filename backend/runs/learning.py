"""When a surrogate is due to learn from the archive: what the keeper and the trainer agree on.

``learning.json`` in the home says which runs have been looked at, and how many of those that can be
learnt from wait for the next training. The trainer writes it; the keeper only counts.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from backend.files import read_json, write_json
from backend.runs.archive import Archive
from backend.system import InvalidInput

FILE = "learning.json"
VARIABLE = "NANOCONF_RETRAIN_AFTER"
EVERY = 100
"""New runs after which a surrogate learns again, unless ``NANOCONF_RETRAIN_AFTER`` says else."""


def retrain_after() -> int:
    """New runs that start a training; 0 is never.

    Raises
    ------
    InvalidInput
        ``NANOCONF_RETRAIN_AFTER`` is no such number.
    """
    text = os.environ.get(VARIABLE, str(EVERY))
    if not (text.isascii() and text.isdigit()):
        raise InvalidInput(VARIABLE, text, "must be a whole number of runs; 0 is never")
    return int(text)


@dataclass(frozen=True)
class Learning:
    """How far the surrogate has learnt from an archive.

    Attributes
    ----------
    learnt, fresh, useless : frozenset of str
        Ids of runs that a training has used; that wait for the next; that nothing can be learnt
        from.
    outcome : str
        How the last training ended, in a line.
    """

    learnt: frozenset[str] = frozenset()
    fresh: frozenset[str] = frozenset()
    useless: frozenset[str] = frozenset()
    outcome: str = ""

    @classmethod
    def load(cls, home: Path) -> Self:
        """What the home says; nothing learnt yet where it says nothing."""
        try:
            values: dict[str, Any] = read_json(home / FILE)
            learnt, fresh, useless = (
                frozenset(values[name]) for name in ("learnt", "fresh", "useless")
            )
            return cls(learnt, fresh, useless, str(values["outcome"]))
        except (OSError, ValueError, KeyError, TypeError):
            return cls()

    def save(self, home: Path) -> None:
        """Write ``learning.json``."""
        ids = {name: sorted(getattr(self, name)) for name in ("learnt", "fresh", "useless")}
        write_json(home / FILE, {**ids, "outcome": self.outcome})

    @property
    def looked_at(self) -> frozenset[str]:
        """Ids of all runs that need no second look."""
        return self.learnt | self.fresh | self.useless


def may_be_due(archive: Archive) -> bool:
    """Whether so many runs are new that a training may be due; cheap, reads no result."""
    every = retrain_after()
    if not every:
        return False
    learning = Learning.load(archive.home)
    new = sum(run.id not in learning.looked_at for run in archive.runs())
    return new + len(learning.fresh) >= every


def start_training(home: Path) -> subprocess.Popen[bytes] | None:
    """Start ``nanoconf train --if-due`` in a session of its own; None without the package."""
    if importlib.util.find_spec("nanoconf") is None:
        return None
    with open(home / "training.log", "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "nanoconf", "train", "--if-due"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home,
            env={**os.environ, "NANOCONF_HOME": str(home)},
            start_new_session=True,
        )
