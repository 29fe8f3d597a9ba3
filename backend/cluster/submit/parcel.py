"""Files that a job takes to its venue: this package, the runs, and the script that starts them."""

from __future__ import annotations

import io
import json
import shlex
import zipfile
from collections.abc import Sequence
from pathlib import Path

from backend.cluster import package
from backend.files import written_whole

PARCEL, SCRIPT = "nanoconf-job.zip", "nanoconf-job.sh"

RESUMED = ("progress.json", "attempts.json", "worker.log")
"""Files sent with a run, besides its checkpoint, so that it can resume."""

LOOK = """\
for python in {pythons}; do
  "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' && break
  python=
done 2>/dev/null
if [ -z "$python" ]; then
  echo "the venue has no Python 3.11, 3.12 or 3.13: set python or setup in the cluster's entry" >&2
  exit 3
fi
if ! "$python" -P -c 'import sys; from backend.cluster.package import digest
sys.exit(digest() != "{digest}")' 2>/dev/null; then
  export PYTHONPATH="$PWD/{parcel}${{PYTHONPATH:+:$PYTHONPATH}}"
fi
exec "$python" -P -m backend.cluster.submit.venue {parcel} {minutes}
"""
"""Shell lines that start `venue`, from the parcel unless the venue's Python has this package."""


def write(
    folder: Path,
    runs: Sequence[Path],
    job: str,
    threads: int,
    python: str,
    setup: Sequence[str],
    minutes: float,
) -> None:
    """Write the parcel and the script of a job.

    Parameters
    ----------
    folder : Path
        Folder of the two files.
    runs : sequence of Path
        Run folders.
    job : str
        The job's name.
    threads : int
        Number of replicas to simulate at the same time.
    python : str
        Python at the venue; empty to look for one.
    setup : sequence of str
        Shell lines to run first.
    minutes : float
        The time limit.
    """
    with written_whole(folder / PARCEL) as stream:
        stream.write(_parcel(runs, job, threads))
    pythons = shlex.join([python] if python else package.PYTHONS)
    digest = package.digest()
    look = LOOK.format(pythons=pythons, digest=digest, parcel=PARCEL, minutes=minutes)
    with written_whole(folder / SCRIPT) as stream:
        stream.write("\n".join(["#!/bin/bash", *setup, look]).encode())


def _parcel(runs: Sequence[Path], job: str, threads: int) -> bytes:
    buffer = io.BytesIO(package.parcel())
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as parcel:
        described = {"runs": [run.name for run in runs], "tasks": 1, "threads": threads}
        parcel.writestr(f"jobs/{job}/job.json", json.dumps(described))
        for run in runs:
            checkpoint = sorted((run / "checkpoint").glob("*"))
            for path in (run / "run.json", *checkpoint, *(run / name for name in RESUMED)):
                if path.is_file():
                    parcel.write(path, f"runs/{run.name}/{path.relative_to(run)}")
    return buffer.getvalue()
