"""How the engine's inner loops are compiled, and where the machine code is kept.

Numba's cache notices a change of the file that a function stands in, but not of the functions it
calls in other files. So the cache lives in a folder named after the content of all files here: any
change, or a new version, starts a fresh one, and a read-only installation works too.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numba

FAST: dict[str, Any] = {
    "fastmath": True,
    "error_model": "numpy",
    "nogil": True,
    "cache": True,
    "forceinline": True,
}
"""Options of the inner loops: SIMD, no Python lock, kept on disk.

Every function holds the machine code of those it calls. Called at their addresses instead, these
would be whichever copy the process came upon first, each with sums in an order of its own: a
process that has just compiled the engine would not give what the next one gives.
"""

EXACT: dict[str, Any] = FAST | {"fastmath": False}
"""The same with every operation as written, for what tests for NaN or serves as a reference."""


def engine_digest() -> str:
    """Tells one state of the engine, and of its compiler, from another."""
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _cache_folder() -> Path:
    import platformdirs  # which a cluster need not have: there NUMBA_CACHE_DIR is set

    return Path(platformdirs.user_cache_dir("nanoconf")) / "numba" / engine_digest()[:16]


if not numba.config.CACHE_DIR:
    numba.config.CACHE_DIR = str(_cache_folder())
