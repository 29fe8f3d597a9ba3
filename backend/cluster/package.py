"""``backend`` as a zip file for the cluster, and the packages that it needs there.

Both sides use this module: the cluster reports the digest of a package that is already installed
there.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from backend import __version__
from backend.engines import registry

PACKAGE = Path(__file__).parents[1]

PYTHONS = ("python3.13", "python3.12", "python3.11", "python3", "python")
"""Python commands to try on a cluster if its entry specifies none."""


def needed() -> tuple[str, ...]:
    """Modules that a worker imports besides the standard library."""
    return tuple(sorted({"numpy", "scipy", *registry.modules()}))


def _sources() -> list[Path]:
    return sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.cu")])


@lru_cache(maxsize=1)
def digest() -> str:
    """Return a digest of all source files."""
    found = hashlib.sha256()
    for path in _sources():
        found.update(str(path.relative_to(PACKAGE)).encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def folder_name() -> str:
    """Return the name of the package's folder on the cluster, unique to each version."""
    return f"worker-{__version__}-{digest()[:12]}"


def parcel() -> bytes:
    """Return the package as a zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in _sources():
            archive.write(path, f"backend/{path.relative_to(PACKAGE)}")
    return buffer.getvalue()


def requirements() -> list[str]:
    """Return the requirements of a worker for pip, with the versions installed here."""
    names = [*needed(), "llvmlite"]
    return [f"{name}=={metadata.version(name)}" for name in names]
