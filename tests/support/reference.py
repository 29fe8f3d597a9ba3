"""Published data that results are compared with, in ``shared/`` beside the repository."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("NANOCONF_REFERENCE", REPOSITORY.parent / "shared" / "reference"))


def published(name: str) -> np.ndarray:
    """Load a published table as a structured array.

    Without it the test is skipped, or fails if ``CI`` is set.
    """
    path = FOLDER / name
    if not path.exists():
        message = (
            f"PUBLISHED DATA NOT FOUND: there is no {path}; "
            "set NANOCONF_REFERENCE to the folder that has it"
        )
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    return np.genfromtxt(path, delimiter=",", names=True, dtype=None, encoding="utf-8")
