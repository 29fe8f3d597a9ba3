"""Results that took long, kept in files: a study that was stopped goes on with the same command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend import __version__
from backend.files import read_json, write_json
from backend.system import canonical_hash


def kept(
    folder: Path,
    follows_from: dict[str, Any],
    make: Callable[[], dict[str, Any]],
    known: Callable[[], Any],
) -> dict[str, Any]:
    """A result from its file, or made now and written there.

    Parameters
    ----------
    folder : Path
        Where the files are.
    follows_from : dict
        All that the result follows from, as JSON values; this version is added.
    make : callable
        Makes the result, as JSON values.
    known : callable
        Called where there is nothing to be made.

    Returns
    -------
    dict
        The result, with what it follows from.
    """
    follows_from = {**follows_from, "version": __version__}
    path = folder / f"{canonical_hash(follows_from)[:16]}.json"
    if path.is_file():
        known()
        return read_json(path)
    result = follows_from | make()
    write_json(path, result)
    return result
