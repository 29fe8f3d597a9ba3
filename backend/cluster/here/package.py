"""``backend`` as a parcel, and what the cluster's Python needs to run it."""

from __future__ import annotations

import hashlib
import io
import zipfile
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from backend import __version__
from backend.engines import registry

PACKAGE = Path(__file__).parents[2]


def needed() -> tuple[str, ...]:
    """Modules that a worker imports besides the standard library."""
    return tuple(sorted({"numpy", "scipy", *registry.modules()}))


def _sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@lru_cache(maxsize=1)
def digest() -> str:
    """Tells one state of the package from another."""
    found = hashlib.sha256()
    for path in _sources():
        found.update(str(path.relative_to(PACKAGE)).encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def folder_name() -> str:
    """The folder that it lies in on the cluster: another one for every version."""
    return f"worker-{__version__}-{digest()[:12]}"


def parcel() -> bytes:
    """The package as a zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in _sources():
            archive.write(path, f"backend/{path.relative_to(PACKAGE)}")
    return buffer.getvalue()


def requirements() -> list[str]:
    """What a worker needs, with the versions that are installed here, for pip."""
    names = [*needed(), "llvmlite"]
    return [f"{name}=={metadata.version(name)}" for name in names]
