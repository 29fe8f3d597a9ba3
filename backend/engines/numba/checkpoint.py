"""Checkpoints of the Numba engine: one for each replica, so no replica waits for another."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from backend.sampling import checkpoint

ENGINE_REVISION = "equilibration is measured"
"""Revision of the engine: see `checkpoint.Checkpoints`."""

REVISION_WITHOUT_SERIES = "0ec9d63a3594846e1f9d7a4cbcc184ad5f6035066e91c83eca6303ebd69bfb17"
"""The revision before: it did not measure the equilibration. A replica that has begun to sample
resumes from its checkpoints if the equilibration is as long in both revisions."""


class Checkpoints(checkpoint.Checkpoints):
    """Checkpoints of one run, by replica."""

    revision = ENGINE_REVISION

    def usable(self, kind: str, arrays: Mapping[str, np.ndarray]) -> bool:
        """Also accept checkpoints of the revision before if they hold what is needed."""
        former = (
            kind == self.fingerprint(REVISION_WITHOUT_SERIES) and arrays["tallies_done"].item() > 0
        )
        return former or super().usable(kind, arrays)
