"""Compilation of the engine before the first run: ``nanoconf warm-up``, or this module."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from backend.engines.numba.cache import SHARED, VARIABLE, cache_root, check_cache


def warm_up() -> tuple[Path, bool]:
    """Compile the engine, for all users if the installation folder is writable.

    Returns
    -------
    folder : Path
        Folder of the compiled engine.
    shared : bool
        True if it is for all users.

    Raises
    ------
    OSError, InvalidInput
        The compiled engine cannot be written.
    """
    if os.environ.get(VARIABLE) or not _can_share():
        check_cache()
        _compile()
        return cache_root(), False
    new = Path(tempfile.mkdtemp(prefix=".compiled-", dir=SHARED.parent))
    try:
        _compile_into(new)
        from backend.engines.numba.compiled import cache_name

        shutil.rmtree(SHARED, ignore_errors=True)  # of other versions
        SHARED.mkdir()
        SHARED.chmod(0o755)
        new.rename(SHARED / cache_name())
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return SHARED, True


def _can_share() -> bool:
    try:
        SHARED.parent.mkdir(exist_ok=True)
        tempfile.TemporaryFile(dir=SHARED.parent).close()
    except OSError:
        return False
    return True


def _compile() -> None:
    """Compile and cache all functions of a run, by running a few thousand steps."""
    from backend.engines.numba.engine import run
    from backend.settings import RunSettings
    from backend.system import SlitSystem

    run(SlitSystem(), RunSettings(duration_ns=0.001, replicas=1))


def _compile_into(folder: Path) -> None:
    """Compile the engine into a folder that all users can read, whatever the umask."""
    os.environ[VARIABLE] = str(folder)
    try:
        _compile()
    finally:
        del os.environ[VARIABLE]
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


if __name__ == "__main__":
    warm_up()
