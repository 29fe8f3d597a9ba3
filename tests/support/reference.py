"""The published data that results are checked against, where it lies beside the repository."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(
    os.environ.get(
        "NANOCONF_REFERENCE", Path(__file__).resolve().parents[3] / "shared" / "reference"
    )
)


def published(name: str) -> np.ndarray:
    """A published table as a structured array; skips the test where it is not at hand."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(
            f"PUBLISHED DATA NOT FOUND: put {name} into a folder and set NANOCONF_REFERENCE"
        )
    return np.genfromtxt(path, delimiter=",", names=True, dtype=None, encoding="utf-8")
