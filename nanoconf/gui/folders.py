"""Check of the folders that the page needs, before its server starts."""

from __future__ import annotations

from pathlib import Path

from backend.files import check_room
from backend.inputs import InvalidInput
from backend.runs.archive import Archive


def check_folders() -> None:
    """Check that the archive and the files of the page's kernels can be written.

    Raises
    ------
    UnusableHome
        The archive folder cannot be written to, or the disk is full.
    InvalidInput
        The folder of the kernels cannot be written; the server would answer with an error.
    """
    from jupyter_core.paths import jupyter_runtime_dir

    archive = Archive()
    archive.prepare()
    archive.check_room()
    runtime = Path(jupyter_runtime_dir())
    try:
        runtime.mkdir(parents=True, exist_ok=True)
        check_room(runtime)
    except OSError as error:
        allowed = (
            f"the page cannot write to this folder ({error.strerror or error}): "
            "set JUPYTER_RUNTIME_DIR to a folder that can be written"
        )
        raise InvalidInput("JUPYTER_RUNTIME_DIR", str(runtime), allowed) from error
