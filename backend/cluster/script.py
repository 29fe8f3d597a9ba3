"""The script that Slurm is given: set-up lines, then Python."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

NAME = "job.sh"


def text(folder: Path, setup: Sequence[str]) -> str:
    """The script of a job whose folder this is; for the cluster's Python that runs this."""
    # not by sbatch, which would read % and \\ in a folder's name as its own
    log = f'exec >>{shlex.quote(f"{folder}/task-")}"${{SLURM_ARRAY_TASK_ID:-0}}.log" 2>&1'
    # Slurm's signals are for the shell's process, which Python takes over
    command = [sys.executable, "-P", "-m", "backend.cluster.task", str(folder)]
    path = os.environ.get("PYTHONPATH", "")
    lines = ["#!/bin/bash", log, *setup, *exports(path), f"exec {shlex.join(command)}"]
    return "\n".join([*lines, ""])


def exports(path: str) -> list[str]:
    """Shell lines that let Python find a worker that was brought there, and keep what it compiles.

    Parameters
    ----------
    path : str
        PYTHONPATH, the worker's folder first; empty where the interpreter has this package itself.
    """
    lines = [f"export PYTHONPATH={shlex.quote(path)}"]
    if path:
        compiled = f"{path.partition(':')[0]}/compiled"
        lines.append(f"export NUMBA_CACHE_DIR={shlex.quote(compiled)}")
    return lines
