"""Job script for Slurm: setup lines, then Python."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

NAME = "job.sh"


def text(folder: Path, setup: Sequence[str]) -> str:
    """Return the script of a job, for the running Python interpreter."""
    # sbatch would interpret % and \\ in a folder's name
    log = f'exec >>{shlex.quote(f"{folder}/task-")}"${{SLURM_ARRAY_TASK_ID:-0}}.log" 2>&1'
    # Slurm sends its signals to the shell's process, so exec replaces the shell with Python
    command = [sys.executable, "-P", "-m", "backend.cluster.node.task", str(folder)]
    ours = exports(*(os.environ.get(name, "") for name in ("PYTHONPATH", "NUMBA_CACHE_DIR")))
    lines = ["#!/bin/bash", log, *setup, *ours, f"exec {shlex.join(command)}"]
    return "\n".join([*lines, ""])


def exports(path: str, compiled: str) -> list[str]:
    """Return shell lines, to follow the setup lines, that let Python find the installed files.

    Parameters
    ----------
    path : str
        Folders to prepend to the PYTHONPATH of the setup lines; may be empty.
    compiled : str
        Numba's cache folder; empty for its default.
    """
    lines = []
    if path:
        # keep the old value: environment modules may provide NumPy through it
        lines.append(f'export PYTHONPATH={shlex.quote(path)}"${{PYTHONPATH:+:$PYTHONPATH}}"')
    if compiled:
        lines.append(f"export NUMBA_CACHE_DIR={shlex.quote(compiled)}")
    return lines
