"""Cache of slow results in JSON files, so that an interrupted study can resume."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend import __version__
from backend.files import read_json, write_json
from backend.system import canonical_hash


def cached(
    folder: Path,
    inputs: dict[str, Any],
    compute: Callable[[], dict[str, Any]],
    on_hit: Callable[[], Any],
) -> dict[str, Any]:
    """Return the stored result for some inputs, or compute and store it.

    Parameters
    ----------
    folder : Path
        Folder of the cache.
    inputs : dict
        Everything that determines the result, as JSON values. The package version is added.
    compute : callable
        Computes the result, as JSON values.
    on_hit : callable
        Called if the result is already stored.

    Returns
    -------
    dict
        The result together with its inputs.
    """
    inputs = {**inputs, "version": __version__}
    path = folder / f"{canonical_hash(inputs)[:16]}.json"
    if path.is_file():
        on_hit()
        return read_json(path)
    result = inputs | compute()
    write_json(path, result)
    return result
