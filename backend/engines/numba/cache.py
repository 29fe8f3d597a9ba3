"""Folders for the compiled engine. Numba is not imported, so that the check takes no time.

`nanoconf warm-up` compiles the engine into `SHARED`, a folder of the installation. Users copy it to
a cache of their own, because Numba ignores a cache that it cannot write.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path

from backend.environment import default_folder
from backend.files import check_room
from backend.inputs import InvalidInput

VARIABLE = "NUMBA_CACHE_DIR"

SHARED = Path(__file__).parent / "__pycache__" / "compiled"
"""Folder of the installation with the engine as compiled for all of its users."""


def cache_root() -> Path:
    """Return ``NUMBA_CACHE_DIR``, or a folder in the user's cache."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen)
    return default_folder("cache", VARIABLE) / "numba"  # on a cluster, the variable is set


def check_cache() -> None:
    """Check that the engine can be compiled here, or was compiled for all users.

    Raises
    ------
    InvalidInput
        The folder cannot be written to.
    """
    if SHARED.is_dir() and not os.environ.get(VARIABLE):
        return
    folder = cache_root()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        check_room(folder)
    except OSError as error:
        allowed = (
            f"the compiled engine cannot be written to this folder ({error.strerror or error}): "
            f"set {VARIABLE} to a writable folder"
        )
        raise InvalidInput(VARIABLE, str(folder), allowed) from error


def own_cache(name: str) -> Path:
    """Return the user's folder for one version of the compiled engine.

    If the user has none, it is copied from the installation. Without a writable cache folder, the
    copy is in the folder for temporary files.
    """
    shared = SHARED / name
    if not shared.is_dir():
        return cache_root() / name
    try:
        return _filled(cache_root() / name, shared)
    except (OSError, InvalidInput):
        return _filled(_temporary_root() / name, shared)


def _filled(folder: Path, shared: Path) -> Path:
    """Copy what the folder lacks of the shared one; return the folder.

    Numba names the folders in it after the path of the installation, and a user may have several.
    """
    folder.mkdir(parents=True, exist_ok=True)
    check_room(folder)
    for compiled in shared.iterdir():
        if not (folder / compiled.name).is_dir():
            _copy(compiled, folder / compiled.name)
    return folder


def _copy(compiled: Path, target: Path) -> None:
    """Copy a folder as a whole, unless another process is faster."""
    copy = Path(tempfile.mkdtemp(prefix=".compiled-", dir=target.parent))
    try:
        shutil.copytree(compiled, copy, dirs_exist_ok=True, copy_function=shutil.copyfile)
        copy.rename(target)
    except OSError:
        shutil.rmtree(copy, ignore_errors=True)
        if not target.is_dir():
            raise


def _temporary_root() -> Path:
    """Return a folder for temporary files that only this user can write to."""
    folder = Path(tempfile.gettempdir()) / f"nanoconf-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    private = stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o077
    if not private or status.st_uid != os.getuid():
        problem = f"must be a folder that only you can access: remove it, or set {VARIABLE}"
        raise InvalidInput(VARIABLE, str(folder), problem)
    return folder
