"""Files that ship with nanoconf: models, datasets, the notebook and the results of the paper."""

from __future__ import annotations

import contextlib
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def shipped(name: str | Path) -> Path:
    """Return the path of a file or folder that ships with nanoconf.

    Parameters
    ----------
    name : str or path
        Its path in the repository, e.g. ``data/grid``. The wheel has the same tree in the package.
    """
    checkout = (PACKAGE.parent / "pyproject.toml").is_file()
    return (PACKAGE.parent if checkout else PACKAGE) / name


def default_path(name: str) -> Path:
    """Return the path of a shipped file, for use as a default.

    In a checkout the path is relative, so that results name no folder of this computer.
    """
    return Path(name) if _is_here(name) else shipped(name)


def _is_here(name: str) -> bool:
    path = Path(name)
    return path.exists() and shipped(name).exists() and path.samefile(shipped(name))


def found(name: str) -> Path:
    """Return a path that a user has given, or if nothing is there, that of the shipped file."""
    path = Path(name)
    with contextlib.suppress(OSError):  # the name may be too long, which its reader reports
        if not path.exists() and shipped(path).exists():
            return shipped(path)
    return path
