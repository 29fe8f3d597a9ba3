"""Files that commands write into the folder given by ``-o DIR``."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.files import check_room, write_json, write_text, written_whole
from backend.runs.run import Run, result_files
from backend.runs.run_state import RunState
from backend.sampling.trajectory import FILES as TRAJECTORY_FILES
from backend.system import InvalidInput


def check(folder: Path) -> None:
    """Check that a folder can be written or created, before a long computation starts.

    Nothing is created.

    Raises
    ------
    InvalidInput
        If the folder cannot be written, or the disk is full.
    """
    try:
        check_room(_existing(folder.absolute()))
    except OSError as error:
        raise _unwritable(folder, error) from error


def prepare(folder: Path) -> None:
    """Create the folder after a `check`.

    Raises
    ------
    InvalidInput
        If the folder cannot be written.
    """
    check(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _existing(folder: Path) -> Path:
    """Return a folder, or the deepest folder above it that exists."""
    try:
        folder.lstat()
    except FileNotFoundError:
        return _existing(folder.parent)
    return folder


def _unwritable(folder: Path, error: OSError) -> InvalidInput:
    problem = error.strerror or str(error)
    return InvalidInput("output", str(folder), f"cannot be written ({problem})")


def write_run(folder: Path, run: Run) -> None:
    """Write the files of a run's result; ``run.json`` is written last.

    Files of an earlier run are deleted first, so that files of different runs are never mixed. The
    last profiles of an unfinished run are written to ``partial/``.
    """
    for name in ["run.json", *result_files()]:
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / "partial", ignore_errors=True)
    if run.state == RunState.DONE:
        result = run.result()
        result.save(folder)
        _copy_trajectory(run.folder, folder)
        summary = result.summary.to_dict()
    else:
        summary = {}
        partial = run.partial_profiles()
        if partial is not None:
            (folder / "partial").mkdir()
            partial.save(folder / "partial")
    write_json(folder / "run.json", {**describe(run), "summary": summary})


def _copy_trajectory(source: Path, target: Path) -> None:
    for name in TRAJECTORY_FILES:
        if (source / name).is_file():
            with open(source / name, "rb") as original, written_whole(target / name) as copy:
                shutil.copyfileobj(original, copy)


def write_files(folder: Path, texts: Mapping[str, str]) -> None:
    """Write text files into the folder."""
    for name, text in texts.items():
        write_text(folder / name, text)


def describe(run: Run) -> dict[str, Any]:
    """Describe a run as JSON values."""
    request = run.request
    return {
        "id": run.id,
        "state": run.state,
        "error": run.error,
        "reason": run.reason,
        "name": run.name,
        "owner": request.get("owner", ""),
        "created": run.created,
        "queue": run.queue,
        "where": run.where,
        "host": _host(run),
        "version": run.version,
        "engine": request["settings"].get("engine"),
        "seed": request["settings"].get("seed"),
        "system": request["system"],
        "settings": request["settings"],
        "inputs_hash": run.inputs_hash,
        "folder": str(run.folder),
    }


def _host(run: Run) -> str | None:
    with contextlib.suppress(IndexError, KeyError):
        return run.attempts()[-1]["host"]
    return None
