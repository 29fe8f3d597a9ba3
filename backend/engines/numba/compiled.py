"""Compiler options of the inner loops, and the cache of their machine code.

Numba's cache detects changes in the file of a function, but not in functions that it calls from
other files. Therefore the cache folder is named after a hash of all files of the engine: any change
or new version starts a new cache, and a read-only installation works too.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numba

from backend.engines.numba.cache import own_cache

FAST: dict[str, Any] = {
    "fastmath": True,
    "error_model": "numpy",
    "nogil": True,
    "cache": True,
    "forceinline": True,
}
"""Options of the inner loops: SIMD, no global interpreter lock, cached on disk.

Every function includes the machine code of the functions that it calls. Without ``forceinline`` it
would call whichever compiled copy the process loaded first. The copies sum in different orders, so
a process that has just compiled the engine would not reproduce the numbers of the next process.
"""

EXACT: dict[str, Any] = FAST | {"fastmath": False}
"""The same without reordered arithmetic, for NaN checks and for reference calculations."""


def cache_name() -> str:
    """Return the name of the cache: a hash of the engine's files and of the Numba version."""
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


if not numba.config.CACHE_DIR:
    numba.config.CACHE_DIR = str(own_cache(cache_name()))
