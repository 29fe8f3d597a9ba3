"""How far a prediction may be from the truth.

The error has two parts: the spread of the ensemble, which grows where there was little to learn
from, and a share of the density itself, for what all members have in common. Systems that took no
part in the training say how large both are, for each ion, pair of valencies and region of the slit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backend.system import SPECIES, SlitSystem

COVERAGE = 0.9
HALF_WIDTH = 1.6448536269514722
"""Half width of the band in units of the error, as of a Gaussian."""

REGIONS = ("tail", "contact", "middle")
"""Behind the contact plane |z| = h/2 − d/2; up to half a diameter before it; the rest."""

SMALLEST_SCALE, LARGEST_SCALE = 0.5, 5.0
"""Where the simulations' own errors hide those of the model, the spread still counts for a half."""

MEANING = (
    "The error of a predicted density is the root of (scale · spread)² + (share · density)²; the "
    "spread is the standard deviation of the ensemble's members. Both were set with systems that "
    f"took no part in the training, so that {COVERAGE:.0%} of their densities lie within "
    f"{HALF_WIDTH:.3f} errors, those of the simulation added in quadrature. By ion, valencies and "
    "region: behind the contact plane (tail), up to half a diameter before it (contact), the rest."
)


def valency_key(system: SlitSystem) -> str:
    """The pair of valencies as in ``3:-1``."""
    return "{}:{}".format(*system.valencies)


def regions(systems: Sequence[SlitSystem], place: np.ndarray) -> np.ndarray:
    """The number in `REGIONS` of each place |z| (nm), shape (systems, bins)."""
    contact = np.array([system.contact_planes[0] for system in systems])[:, None]
    diameter = np.array([system.positive_diameter for system in systems])[:, None]
    return np.where(place > contact, 0, np.where(place > contact - diameter / 2, 1, 2))


def errors(
    table: dict[str, Any],
    systems: Sequence[SlitSystem],
    place: np.ndarray,
    density: np.ndarray,
    spread: np.ndarray,
) -> np.ndarray:
    """Errors that a table lets expect.

    Parameters
    ----------
    table : dict
        Of `calibrated`.
    systems : sequence of SlitSystem
    place : ndarray, shape (systems, bins)
        |z| of the bins (nm).
    density, spread : ndarray, shape (systems, 2, bins)
        Predicted density and the members' standard deviation, in any unit.

    Returns
    -------
    ndarray, shape (systems, 2, bins), in the same unit
    """
    region = regions(systems, place)
    rows = np.array([[table[s][valency_key(x)] for s in SPECIES] for x in systems], dtype=float)
    # rows: (systems, 2, regions, 2); take every bin's region
    chosen = np.take_along_axis(rows, region[:, None, :, None], axis=2)
    return np.hypot(chosen[..., 0] * spread, chosen[..., 1] * density)


def calibrated(
    systems: Sequence[SlitSystem],
    place: np.ndarray,
    density: np.ndarray,
    spread: np.ndarray,
    simulated: np.ndarray,
    noise: np.ndarray,
) -> dict[str, Any]:
    """The table that makes `COVERAGE` of the deviations lie in the band.

    Parameters
    ----------
    systems, place, density, spread
        As in `errors`, of systems that took no part in the training.
    simulated, noise : ndarray, shape (systems, 2, bins)
        Simulated density and its standard error, in the same unit; bins where ions cannot be have
        density 0.

    Returns
    -------
    dict
        JSON values for the card: [scale, share] by species, valencies and region.
    """
    keys = [valency_key(system) for system in systems]
    region = regions(systems, place)
    table: dict[str, Any] = {"meaning": MEANING, "regions": list(REGIONS)}
    for ion, species in enumerate(SPECIES):
        table[species] = {}
        for key in sorted(set(keys)):
            rows = []
            for number in range(len(REGIONS)):
                used = (np.array(keys) == key)[:, None] & (region == number) & (density[:, ion] > 0)
                rows.append(
                    _scale_and_share(
                        *(values[:, ion][used] for values in (density, spread, simulated, noise))
                    )
                )
            table[species][key] = rows
    return table


def _scale_and_share(
    density: np.ndarray, spread: np.ndarray, simulated: np.ndarray, noise: np.ndarray
) -> list[float]:
    """What spread and density are multiplied by in one group of bins."""
    if not len(density):
        return [1.0, 0.0]
    deviation = np.abs(density - simulated)
    # what spread and noise leave unexplained is a share of the density
    beyond = (deviation**2 - noise**2 - spread**2) / density**2
    share = float(np.sqrt(max(0.0, np.mean(beyond))))
    size = np.hypot(spread, share * density)
    factor = _factor(deviation, size, noise)
    return [round(factor, 4), round(factor * share, 7)]


def _factor(deviation: np.ndarray, size: np.ndarray, noise: np.ndarray) -> float:
    """The factor of the errors that puts the wanted share of deviations inside, by bisection."""
    low, high = SMALLEST_SCALE, LARGEST_SCALE
    for _ in range(40):
        factor = (low + high) / 2
        inside = deviation <= HALF_WIDTH * np.hypot(factor * size, noise)
        low, high = (factor, high) if inside.mean() < COVERAGE else (low, factor)
    return high
