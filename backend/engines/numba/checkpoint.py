"""Checkpoints of the Numba engine: one for each replica, so no replica waits for another."""

from __future__ import annotations

from backend.sampling import checkpoint

ENGINE_REVISION = "equilibration is measured"
"""Revision of the engine: see `checkpoint.Checkpoints`."""


class Checkpoints(checkpoint.Checkpoints):
    """Checkpoints of one run, by replica."""

    revision = ENGINE_REVISION
