"""Uniform bins over the slit, shared by all profiles."""

from __future__ import annotations

import numpy as np

from backend.system import SlitSystem

BINS = 300
"""Number of bins over the slit."""

HALF = BINS // 2
"""Number of bins over half the slit; profiles are symmetric, so the left half suffices."""


def bin_edges(system: SlitSystem, bins: int = BINS) -> np.ndarray:
    """Edges of the bins (nm), shape (bins + 1,)."""
    half = system.confinement_length / 2
    return np.linspace(-half, half, bins + 1)


def bin_centres(system: SlitSystem, bins: int = BINS) -> np.ndarray:
    """Centres of the bins (nm), shape (bins,)."""
    edges = bin_edges(system, bins)
    return (edges[1:] + edges[:-1]) / 2
