"""Bins: the uniform grid over the slit that every profile is given on."""

from __future__ import annotations

import numpy as np

from backend.system import SlitSystem

BINS = 300
"""Uniform bins over the slit."""

HALF = BINS // 2
"""Bins of one half of the slit; profiles are symmetric, so that the left half says all."""


def bin_edges(system: SlitSystem, bins: int = BINS) -> np.ndarray:
    """Edges of the bins (nm), shape (bins + 1,)."""
    half = system.confinement_length / 2
    return np.linspace(-half, half, bins + 1)


def bin_centres(system: SlitSystem, bins: int = BINS) -> np.ndarray:
    """Centres of the bins (nm), shape (bins,)."""
    edges = bin_edges(system, bins)
    return (edges[1:] + edges[:-1]) / 2
