"""Error band of the predictions.

The error has two parts: the spread of the ensemble, which grows where training data are sparse, and
a share of the density for the errors that all members have in common. Both are calibrated on
systems outside the training set, for each ion species, pair of valencies and region of the slit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backend.system import SPECIES, InvalidInput, SlitSystem

COVERAGE = 0.9
HALF_WIDTH = 1.6448536269514722
"""Half width of the band in units of the error, as for a Gaussian distribution."""

REGIONS = ("tail", "contact", "middle")
"""Behind the contact plane |z| = h/2 − d/2; up to half a diameter in front of it; the rest."""

SMALLEST_SCALE, LARGEST_SCALE = 0.5, 5.0
"""Limits of the scale. The lower one applies where the noise of the simulations hides the errors of
the model."""

MEANING = (
    "The error of a predicted density is the square root of (scale · spread)² + "
    "(share · density)², where spread is the standard deviation of the members of the ensemble. "
    "Scale and share are calibrated on systems outside the training set so that "
    f"{COVERAGE:.0%} of their densities lie within {HALF_WIDTH:.3f} errors, with the error of the "
    "simulation added in quadrature. They depend on the ion species, the valencies and the region: "
    "behind the contact plane (tail), up to half a diameter in front of it (contact), and the rest "
    "(middle)."
)


def valency_key(system: SlitSystem) -> str:
    """Return the pair of valencies, as in ``3:-1``."""
    return "{}:{}".format(*system.valencies)


def regions(systems: Sequence[SlitSystem], place: np.ndarray) -> np.ndarray:
    """Return the index in `REGIONS` of each position |z| (nm), shape (systems, bins)."""
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
    """Compute the errors of predicted densities.

    Parameters
    ----------
    table : dict
        Table from `calibrated`.
    systems : sequence of SlitSystem
        Predicted systems.
    place : ndarray, shape (systems, bins)
        |z| of the bins (nm).
    density, spread : ndarray, shape (systems, 2, bins)
        Predicted density and the members' standard deviation, in any unit.

    Returns
    -------
    ndarray, shape (systems, 2, bins), in the same unit

    Raises
    ------
    InvalidInput
        If the band is not calibrated for the valencies of a system.
    """
    region = regions(systems, place)
    rows = np.array([[_row(table, s, x) for s in SPECIES] for x in systems], dtype=float)
    # rows: (systems, 2, regions, 2); select the region of each bin
    chosen = np.take_along_axis(rows, region[:, None, :, None], axis=2)
    return np.hypot(chosen[..., 0] * spread, chosen[..., 1] * density)


def _row(table: dict[str, Any], species: str, system: SlitSystem) -> list[list[float]]:
    key = valency_key(system)
    if key not in table[species]:
        known = ", ".join(table[species])
        raise InvalidInput("valencies", key, f"the model has an error band for {known} only")
    return table[species][key]


def check_table(table: Mapping[str, Any]) -> None:
    """Raise `ValueError` if a table that was read from a card is not one from `calibrated`."""
    for species in SPECIES:
        rows = table.get(species)
        if not isinstance(rows, Mapping) or not rows:
            raise ValueError(f"band.{species} is missing")
        for key, row in rows.items():
            if not _is_row(row):
                problem = f"must hold {len(REGIONS)} pairs of a scale and a share"
                raise ValueError(f"band.{species}[{key!r}] {problem}")


def _is_row(row: Any) -> bool:
    try:
        values = np.array(row, dtype=float)
    except (TypeError, ValueError, OverflowError):
        return False
    return values.shape == (len(REGIONS), 2) and bool(
        np.isfinite(values).all() and values.min() >= 0
    )


def calibrated(
    systems: Sequence[SlitSystem],
    place: np.ndarray,
    density: np.ndarray,
    spread: np.ndarray,
    simulated: np.ndarray,
    noise: np.ndarray,
) -> dict[str, Any]:
    """Calibrate the band so that it contains the share `COVERAGE` of the simulated densities.

    Parameters
    ----------
    systems, place, density, spread
        As in `errors`, for systems outside the training set. The density is 0 in bins that the wall
        makes inaccessible to ions.
    simulated, noise : ndarray, shape (systems, 2, bins)
        Simulated density and its standard error, in the same unit.

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
    """Return the factors of the spread and of the density for one group of bins."""
    if not len(density):
        return [1.0, 0.0]
    deviation = np.abs(density - simulated)
    # deviations beyond spread and noise are modelled as a share of the density
    beyond = (deviation**2 - noise**2 - spread**2) / density**2
    share = float(np.sqrt(max(0.0, np.mean(beyond))))
    size = np.hypot(spread, share * density)
    factor = _factor(deviation, size, noise)
    return [round(factor, 4), round(factor * share, 7)]


def _factor(deviation: np.ndarray, size: np.ndarray, noise: np.ndarray) -> float:
    """Find by bisection the factor of the errors that gives the coverage `COVERAGE`."""
    low, high = SMALLEST_SCALE, LARGEST_SCALE
    for _ in range(40):
        factor = (low + high) / 2
        inside = deviation <= HALF_WIDTH * np.hypot(factor * size, noise)
        low, high = (factor, high) if inside.mean() < COVERAGE else (low, factor)
    return high
