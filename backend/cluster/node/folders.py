"""Run folders on the cluster: create them, read their progress and results, remove them."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from backend.cluster import wire
from backend.files import read_json, write_json
from backend.runs.run import DamagedRun, Run
from backend.runs.run_files import FROM_WORKER
from backend.untrusted import Damaged, open_file

REPLY_BYTES = 8_000_000
"""Approximate size of the files in one reply; the next reply contains the rest."""

LARGEST = 1 << 40

LOG_BYTES = 1_000_000
"""Size of the end of ``worker.log`` that is fetched."""


def make(folder: Path, request: dict[str, Any], earlier: Path | None) -> None:
    """Create a run's folder, with the checkpoint of an earlier run that it resumes from."""
    folder.mkdir(exist_ok=True)
    if not (folder / "run.json").exists():
        write_json(folder / "run.json", request)
    if earlier is None or (folder / "checkpoint").exists():
        return
    if (earlier / "checkpoint").is_dir():
        os.rename(earlier / "checkpoint", folder / "checkpoint")
        with contextlib.suppress(OSError):
            shutil.copy(earlier / "progress.json", folder)


def return_checkpoints(runs: Path, continues: Mapping[str, str]) -> None:
    """Move checkpoints back to the earlier runs that they came from."""
    for run_id, earlier in continues.items():
        with contextlib.suppress(OSError):
            os.rename(runs / run_id / "checkpoint", runs / earlier / "checkpoint")


def progress(folder: Path, known: str) -> dict[str, Any]:
    """Return whether a run has finished, and its progress if newer than `known`."""
    found: dict[str, Any] = {
        "over": any((folder / name).exists() for name in ("result.json", "failure.json")),
    }
    try:
        run, latest = Run(folder), read_json(folder / "progress.json")
    except (OSError, ValueError, DamagedRun):
        return found
    if not found["over"] and latest.get("updated") != known:
        found["progress"] = latest
        found["log"] = "".join(f"{line}\n" for line in run.log_tail(40))
        found["partial"] = dict(_partial_profiles(folder))
    return found


def _partial_profiles(folder: Path) -> Iterator[tuple[str, str]]:
    for path in (folder / "partial").glob("*.csv"):
        with contextlib.suppress(OSError):
            yield path.name, wire.as_text(path.read_bytes())


def results(folders: Iterable[Path]) -> dict[str, dict[str, str]]:
    """Return the files of as many runs as fit in one reply, by run and name."""
    found: dict[str, dict[str, str]] = {}
    size = 0
    for folder in folders:
        if size > REPLY_BYTES:
            break
        files = dict(_result_files(folder))
        size += sum(map(len, files.values()))
        found[folder.name] = {name: wire.as_text(content) for name, content in files.items()}
    return found


def _result_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Return the files that the worker has written, by name."""
    for name, kind in FROM_WORKER.items():
        # a pipe is left out; another error is temporary, and then nothing may be left out
        with (
            contextlib.suppress(FileNotFoundError, Damaged),
            open_file(folder / name, LARGEST) as stream,
        ):
            if name == "worker.log":
                stream.seek(max(0, os.fstat(stream.fileno()).st_size - LOG_BYTES))
            yield name, stream.read(kind.limit + 1)


def remove(folder: Path) -> None:
    """Remove a folder that an exiting worker may still write to.

    The folder is renamed first: a file written during the removal would make the removal fail.
    """
    doomed = folder.with_name(f".{folder.name}")
    shutil.rmtree(doomed, ignore_errors=True)  # left by an earlier, interrupted attempt
    with contextlib.suppress(FileNotFoundError):
        folder.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)
