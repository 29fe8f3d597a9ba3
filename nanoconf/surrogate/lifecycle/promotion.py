"""Promotion of a retrained model: comparison with the current one."""

from __future__ import annotations

import numpy as np

from backend.system import SPECIES
from nanoconf.surrogate import band
from nanoconf.surrogate.card import Promotion
from nanoconf.surrogate.model import Surrogate
from nanoconf.surrogate.simulations import Simulations

RESAMPLES = 2000
CONFIDENCE = 0.95
COVERAGE_RANGE = (0.87, 0.93)


def decide(new: Surrogate, current: Surrogate, validation: Simulations) -> Promotion:
    """Compare a model with the current one on systems outside both training sets.

    The model is not worse if its mean error is larger in less than 95 % of the samples of a paired
    bootstrap over the systems (B. Efron, R. J. Tibshirani, An Introduction to the Bootstrap, 1993).
    It is promoted if it is not worse and its 90 % band contains 87 to 93 % of the densities.
    """
    differences = errors(new, validation) - errors(current, validation)
    rows = np.random.default_rng(1).integers(len(differences), size=(RESAMPLES, len(differences)))
    worse = float((differences[rows].mean(axis=1) > 0).mean())
    covered = cross_coverage(new, validation)
    low, high = COVERAGE_RANGE
    if worse >= CONFIDENCE:
        reason = f"worse than {current.name} by {differences.mean():.3%} (relative L2 error)"
    elif not low <= covered <= high:
        reason = f"its 90 % band contains {covered:.1%} of densities, not {low:.0%} to {high:.0%}"
    else:
        reason = f"not worse than {current.name}: {differences.mean():+.3%} (relative L2 error)"
    return Promotion(
        promoted=worse < CONFIDENCE and low <= covered <= high,
        against=current.name,
        reason=reason,
        difference=float(differences.mean()),
        probability_worse=worse,
        coverage=covered,
    )


def errors(model: Surrogate, data: Simulations) -> np.ndarray:
    """Return the relative L2 error of each simulation, averaged over both ions."""
    predicted = model.predict_halves(data.systems).density
    found = []
    for ion, species in enumerate(SPECIES):
        deviation = np.linalg.norm(predicted[:, ion] - data.density[species], axis=1)
        found.append(deviation / np.linalg.norm(data.density[species], axis=1))
    return np.mean(found, axis=0)


def cross_coverage(model: Surrogate, data: Simulations) -> float:
    """Return the share of densities within the band, by two-fold cross-validation."""
    order = np.random.default_rng(2).permutation(len(data))
    halves = np.array_split(order, 2)
    inside = [_inside(model, data[one], data[other]) for one, other in (halves, halves[::-1])]
    return float(np.concatenate(inside).mean())


def _inside(model: Surrogate, calibration: Simulations, test: Simulations) -> np.ndarray:
    mean, spread, place = model.ensemble(calibration.systems)
    table = band.calibrated(calibration.systems, place, mean, spread, *calibration.relative())
    for species in SPECIES:  # the half may lack a pair of valencies
        table[species] = model.card.band[species] | table[species]
    mean, spread, place = model.ensemble(test.systems)
    error = band.errors(table, test.systems, place, mean, spread)
    simulated, noise = test.relative()
    within = np.abs(mean - simulated) <= band.HALF_WIDTH * np.hypot(error, noise)
    return within[mean > 0]
