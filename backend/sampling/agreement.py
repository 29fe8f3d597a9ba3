"""Agreement of force sampling and histogram: a test of forces, temperature and time step."""

from __future__ import annotations

import numpy as np
from scipy.special import fdtrc

from backend.sampling import estimators
from backend.sampling.samples import Samples
from backend.sampling.summary import Agreement
from backend.system import SPECIES, SlitSystem

LAYERS = 5
"""Number of layers in the left half of the slit, each with the same number of ions."""


def agreement(system: SlitSystem, samples: Samples) -> Agreement:
    """Compare the numbers of ions in a few layers between the two estimators.

    The differences are taken block by block, which accounts for the correlation between the
    estimators and between the species. The test omits the last layer of each species: both
    estimators conserve the number of ions, so this layer follows from the others.
    The test is Hotelling's T² (H. Hotelling, Ann. Math. Stat. 2, 360 (1931)).
    """
    force = estimators.force_sampling(system, samples)
    counted = estimators.histogram(system, samples)
    differences, residuals, relative = [], [], []
    for s in range(len(SPECIES)):
        starts = _layers(force.density[s])
        ions = _sums(force.density[s], starts)
        difference = _sums(force.density[s] - counted.density[s], starts)
        relative += list(difference / ions)
        differences += list(difference[:-1])
        residuals.append(_sums(force.residuals[:, s] - counted.residuals[:, s], starts)[:, :-1])
    chi_square, probability = _hotelling(np.array(differences), np.concatenate(residuals, axis=1))
    return Agreement(float(np.max(np.abs(relative))), chi_square, probability)


def _layers(density: np.ndarray) -> np.ndarray:
    """Return the first bin of each layer."""
    below = np.cumsum(density[: len(density) // 2])
    shares = np.arange(LAYERS) / LAYERS
    # a layer cannot be thinner than a bin
    return np.unique(np.searchsorted(below, shares * below[-1], side="right"))


def _sums(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the sums over the layers of the left half."""
    return np.add.reduceat(values[..., : values.shape[-1] // 2], starts, axis=-1)


def _hotelling(mean: np.ndarray, residuals: np.ndarray) -> tuple[float, float]:
    """Return the reduced χ² of a mean that should be zero, and its probability."""
    blocks, terms = residuals.shape
    covariance = residuals.T @ residuals / (blocks * (blocks - 1))
    chi_square = mean @ np.linalg.pinv(covariance, hermitian=True) @ mean
    # the covariance is estimated from few blocks, so the ratio follows an F distribution
    ratio = chi_square / terms * (blocks - terms) / (blocks - 1)
    return float(ratio), float(fdtrc(terms, blocks - terms, ratio))
