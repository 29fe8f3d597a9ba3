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
    command = [sys.executable, "-P", "-m", "backend.cluster.node.task", str(folder)]
    ours = exports(*(os.environ.get(name, "") for name in ("PYTHONPATH", "NUMBA_CACHE_DIR")))
    lines = ["#!/bin/bash", log, *setup, *ours, f"exec {shlex.join(command)}"]
    return "\n".join([*lines, ""])


def exports(path: str, compiled: str) -> list[str]:
    """Shell lines, for after the set-up lines, that let Python find what was brought there.

    Parameters
    ----------
    path : str
        What comes before the PYTHONPATH of the set-up lines; may be empty.
    compiled : str
        Folder in which Numba keeps what it compiles; empty for its own choice.
    """
    lines = []
    if path:
        # modules may provide NumPy by it
        lines.append(f'export PYTHONPATH={shlex.quote(path)}"${{PYTHONPATH:+:$PYTHONPATH}}"')
    if compiled:
        lines.append(f"export NUMBA_CACHE_DIR={shlex.quote(compiled)}")
    return lines
