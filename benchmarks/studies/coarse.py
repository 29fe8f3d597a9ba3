"""Profiles in wider bins, with standard errors from blocks."""

from __future__ import annotations

import numpy as np

from backend.sampling.result import SimulationResult
from backend.system import SPECIES

BIN_WIDTH = 0.05
"""Approximate width of the merged bins (nm)."""


def coarse(result: SimulationResult, species: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return z (nm), density and standard error (M) in wider bins of the left half."""
    assert result.residuals is not None
    profile = result.profiles.by_species()[species]
    half = len(profile.z) // 2
    width = profile.z[1] - profile.z[0]
    merged = max(n for n in range(1, 11) if half % n == 0 and n * width < 1.2 * BIN_WIDTH)
    blocks = result.residuals.left[:, SPECIES.index(species)].astype(float)
    blocks = blocks.reshape(len(blocks), -1, merged).mean(axis=2)
    z, density = (
        each[:half].reshape(-1, merged).mean(axis=1) for each in (profile.z, profile.density)
    )
    return z, density, blocks.std(axis=0, ddof=1) / np.sqrt(len(blocks))
