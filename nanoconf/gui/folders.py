"""Check of the folders that the page needs, before its server starts."""

from __future__ import annotations

from pathlib import Path

from backend.files import check_room
from backend.inputs import InvalidInput
from backend.runs.archive import Archive


def check_folders() -> None:
    """Check that the archive and the folders of the server and its kernels can be written.

    Raises
    ------
    UnusableHome
        The archive folder cannot be written to, or the disk is full.
    InvalidInput
        A folder of Jupyter cannot be written; the server would answer with an error.
    """
    from jupyter_core.paths import jupyter_data_dir, jupyter_runtime_dir

    archive = Archive()
    archive.prepare()
    archive.check_room()
    _check("JUPYTER_DATA_DIR", Path(jupyter_data_dir()))
    _check("JUPYTER_RUNTIME_DIR", Path(jupyter_runtime_dir()))


def _check(variable: str, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        check_room(folder)
    except OSError as error:
        allowed = (
            f"the page cannot write to this folder ({error.strerror or error}): "
            f"set {variable} to a writable folder"
        )
        raise InvalidInput(variable, str(folder), allowed) from error
