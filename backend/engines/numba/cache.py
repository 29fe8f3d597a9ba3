"""Folder for the compiled engine. Numba is not imported, so that the check takes no time."""

from __future__ import annotations

import os
from pathlib import Path

from backend.environment import default_folder
from backend.files import check_room
from backend.inputs import InvalidInput

VARIABLE = "NUMBA_CACHE_DIR"


def cache_root() -> Path:
    """Return ``NUMBA_CACHE_DIR``, or a folder in the user's cache."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen)
    return default_folder("cache", VARIABLE) / "numba"  # on a cluster, the variable is set


def check_cache() -> None:
    """Check that the engine can be compiled here.

    Raises
    ------
    InvalidInput
        The folder cannot be written.
    """
    folder = cache_root()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        check_room(folder)
    except OSError as error:
        allowed = (
            f"the compiled engine cannot be written to this folder ({error.strerror or error}): "
            f"set {VARIABLE} to a writable folder"
        )
        raise InvalidInput(VARIABLE, str(folder), allowed) from error
