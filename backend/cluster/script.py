"""The script that Slurm is given: set-up lines, then Python."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from backend.cluster.package import PACKAGE

NAME = "job.sh"


def text(folder: Path, setup: Sequence[str]) -> str:
    """The script of a job whose folder this is; for the cluster's Python that runs this."""
    path = os.environ.get("PYTHONPATH", "")
    # not by sbatch, which would read % and \\ in a folder's name as its own
    log = f'exec >>{shlex.quote(f"{folder}/task-")}"${{SLURM_ARRAY_TASK_ID:-0}}.log" 2>&1'
    lines = ["#!/bin/bash", log, *setup, f"export PYTHONPATH={shlex.quote(path)}"]
    if path:  # the worker was brought here: what it compiles lies beside it
        lines.append(f"export NUMBA_CACHE_DIR={shlex.quote(str(PACKAGE.parent / 'compiled'))}")
    # Slurm's signals are for the shell's process, which Python takes over
    command = [sys.executable, "-P", "-m", "backend.cluster.task", str(folder)]
    return "\n".join([*lines, f"exec {shlex.join(command)}", ""])
