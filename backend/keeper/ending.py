"""End all processes of a home, where nothing may outlive the page's server."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import psutil

from backend.keeper.election import stop_keeper

WORKER, TRAINING = {"backend.worker"}, {"nanoconf", "train", "--if-due"}
"""Words on the command lines of workers, and of a training process that the keeper has started."""

PATIENCE_SECONDS = 30.0
"""Time for workers to write their checkpoints (s)."""


def interrupt_runs(home: Path, timeout: float = PATIENCE_SECONDS) -> bool:
    """End the keeper, the workers and a training process; return True once no process is left.

    The runs are queued with their last checkpoints, and the next keeper resumes them. Runs on
    clusters continue there.

    Parameters
    ----------
    home : Path
        The folder of the archive.
    timeout : float
        Time for the workers to end (s).
    """
    ended = stop_keeper(home)
    processes = _processes(home)
    for process in processes:
        with suppress(psutil.Error):
            process.terminate()
    _, left = psutil.wait_procs(processes, timeout)
    return ended and not left


def _processes(home: Path) -> list[psutil.Process]:
    """Return the workers and the training of a home."""
    home = Path(os.path.realpath(home))
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if _works_for(process, home):
                found.append(process)
    return found


def _works_for(process: psutil.Process, home: Path) -> bool:
    words = process.cmdline()
    if set(words) >= WORKER:
        folders = (Path(os.path.realpath(word)) for word in words if os.path.isabs(word))
        return any(folder.parent == home / "runs" for folder in folders)
    return set(words) >= TRAINING and Path(process.cwd()) == home
