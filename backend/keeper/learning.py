"""Schedule for retraining the surrogate, shared by the keeper and the training process.

``learning.json`` in the archive folder records which runs training has checked, and which of them
are eligible and waiting for the next retraining. The training process writes it; the keeper only
counts.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from backend import environment
from backend.files import read_json, write_json
from backend.runs.archive import Archive

FILE = "learning.json"
VARIABLE = "NANOCONF_RETRAIN_AFTER"
EVERY = 100
"""Number of new runs that trigger retraining, unless ``NANOCONF_RETRAIN_AFTER`` is set."""


def retrain_after() -> int:
    """Return the number of new runs that trigger retraining; 0 means never.

    Raises
    ------
    InvalidInput
        ``NANOCONF_RETRAIN_AFTER`` is not a whole number.
    """
    chosen = environment.whole_number(VARIABLE)
    return EVERY if chosen is None else chosen


@dataclass(frozen=True)
class Learning:
    """Training status of the runs of an archive.

    Attributes
    ----------
    learnt, fresh, useless : frozenset of str
        IDs of runs used for training, of runs waiting for the next retraining, and of runs not
        eligible for training.
    outcome : str
        Outcome of the last retraining, in one line.
    """

    learnt: frozenset[str] = frozenset()
    fresh: frozenset[str] = frozenset()
    useless: frozenset[str] = frozenset()
    outcome: str = ""

    @classmethod
    def load(cls, home: Path) -> Self:
        """Read ``learning.json``; without a readable one, no run counts as used."""
        try:
            values: dict[str, Any] = read_json(home / FILE)
            learnt, fresh, useless = (
                frozenset(map(str, values[name])) for name in ("learnt", "fresh", "useless")
            )
            return cls(learnt, fresh, useless, str(values["outcome"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return cls()

    def save(self, home: Path) -> None:
        """Write ``learning.json``."""
        ids = {name: sorted(getattr(self, name)) for name in ("learnt", "fresh", "useless")}
        write_json(home / FILE, {**ids, "outcome": self.outcome})

    @property
    def looked_at(self) -> frozenset[str]:
        """IDs of all runs that training has checked."""
        return self.learnt | self.fresh | self.useless


def may_be_due(archive: Archive) -> bool:
    """Return True if there may be enough new runs to retrain; cheap, reads no results."""
    every = retrain_after()
    if not every:
        return False
    learning = Learning.load(archive.home)
    new = sum(run.id not in learning.looked_at for run in archive.runs())
    return new + len(learning.fresh) >= every


def start_training(home: Path) -> subprocess.Popen[bytes] | None:
    """Start ``nanoconf train --if-due`` in its own session; return None if nanoconf is missing."""
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
