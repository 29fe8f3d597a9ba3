"""Charge density, integrated charge and potential from density profiles.

The potential solves Poisson's equation in one dimension; z runs across the slit and both walls
carry the same charge. Every function takes the densities of both species (M), shape (2, bins),
positive ions first, and treats them as constant within a bin.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from backend import constants
from backend.files import write_text
from backend.profiles.bins import bin_centres
from backend.profiles.blocks import BlockResiduals
from backend.profiles.density import SlitProfiles
from backend.system import MOLAR, SlitSystem

CHARGE_PER_MOLAR_NM = MOLAR * constants.e * 1e18
"""Charge per area of a 1 nm layer of monovalent ions at 1 mol/L (0.0965 C/m²)."""

SCREENING_LEVELS = np.linspace(0.03, 0.07, 9)
"""Fractions of the wall charge below which the wall counts as screened."""

MIN_PLATEAU = 20 / 300
"""Minimum width of the screened layer on either side of the midplane, as a fraction of the slit."""


@dataclass(frozen=True)
class ChargeProfile:
    """Charge and potential across the slit, with standard errors from blocks.

    Errors are nan if the run has no blocks. The screening length is nan if it is undefined.

    Attributes
    ----------
    z : ndarray, shape (bins,)
        Bin centres (nm).
    density, density_error : ndarray, shape (bins,)
        Net charge density z₊ρ₊ + z₋ρ₋ (e mol/L).
    integrated, integrated_error : ndarray, shape (bins,)
        Charge per area (C/m²) from the left wall, including the wall charge, to z.
    potential, potential_error : ndarray, shape (bins,)
        Mean electrostatic potential relative to the midplane (mV).
    wall_potential, wall_potential_error : float
        Potential of the walls relative to the midplane (mV).
    screening_length, screening_length_error : float
        Distance from a charged wall at which it is screened (nm); see `screening_length`.
    """

    z: np.ndarray
    density: np.ndarray
    density_error: np.ndarray
    integrated: np.ndarray
    integrated_error: np.ndarray
    potential: np.ndarray
    potential_error: np.ndarray
    wall_potential: float
    wall_potential_error: float
    screening_length: float
    screening_length_error: float

    FILE = "charge.csv"
    COLUMNS = {
        "z_nm": "z",
        "charge_density_eM": "density",
        "charge_density_error_eM": "density_error",
        "integrated_charge_C_per_m2": "integrated",
        "integrated_charge_error_C_per_m2": "integrated_error",
        "potential_mV": "potential",
        "potential_error_mV": "potential_error",
    }

    @classmethod
    def of(
        cls, system: SlitSystem, profiles: SlitProfiles, residuals: BlockResiduals | None = None
    ) -> ChargeProfile:
        """Compute charge and potential from density profiles.

        Parameters
        ----------
        system : SlitSystem
        profiles : SlitProfiles
        residuals : BlockResiduals, optional
            Residuals of the same run. Without them, errors are nan.
        """
        densities = profiles.densities

        def error(function: Callable[[SlitSystem, np.ndarray], Any]) -> Any:
            if residuals is None:
                return np.full_like(function(system, densities), np.nan)
            return residuals.standard_error(lambda varied: function(system, varied), densities)

        return cls(
            z=bin_centres(system, densities.shape[-1]),
            density=net_charge_density(system, densities),
            density_error=error(net_charge_density),
            integrated=integrated_charge(system, densities),
            integrated_error=error(integrated_charge),
            potential=potential(system, densities),
            potential_error=error(potential),
            wall_potential=wall_potential(system, densities),
            wall_potential_error=float(error(wall_potential)),
            screening_length=screening_length(system, densities),
            screening_length_error=float(error(screening_length)),
        )

    def to_csv(self) -> str:
        """Return CSV text with one row per bin and `COLUMNS` as the header."""
        columns = [getattr(self, name) for name in self.COLUMNS.values()]
        rows = [",".join(f"{x:.8g}" for x in row) for row in zip(*columns, strict=True)]
        return "\n".join([",".join(self.COLUMNS), *rows]) + "\n"

    def with_errors(self, text: str) -> Self:
        """Return the profile with the errors in a text that `to_csv` wrote.

        Raises
        ------
        ValueError
            If the text is not a charge profile over the same bins.
        """
        try:
            header, *rows = csv.reader(io.StringIO(text))
        except csv.Error as error:
            raise ValueError(f"not a charge profile: {error}") from error
        if tuple(header) != tuple(self.COLUMNS) or len(rows) != len(self.z):
            raise ValueError(f"not a charge profile of {len(self.z)} bins: header {header}")
        columns = dict(zip(self.COLUMNS.values(), np.array(rows, dtype=float).T, strict=True))
        return replace(self, **{name: columns[name] for name in columns if "error" in name})

    def save(self, folder: Path) -> None:
        """Write ``charge.csv`` into a folder."""
        write_text(folder / self.FILE, self.to_csv())


def net_charge_density(system: SlitSystem, densities: np.ndarray) -> np.ndarray:
    """Net charge density z₊ρ₊ + z₋ρ₋ (e mol/L), shape (bins,)."""
    return np.array(system.valencies) @ densities


def integrated_charge(system: SlitSystem, densities: np.ndarray) -> np.ndarray:
    """Charge per area from the left wall, including the wall charge, to each bin centre.

    Returns
    -------
    ndarray, shape (bins,)
        σ + ∫ (z₊ρ₊ + z₋ρ₋) dz (C/m²): 0 at the midplane and −σ beyond the last ions on the right.
        Charged walls are screened where it has fallen to zero.
    """
    at_edges = _charge_at_edges(system, densities)
    return (at_edges[1:] + at_edges[:-1]) / 2


def potential(system: SlitSystem, densities: np.ndarray) -> np.ndarray:
    """Mean electrostatic potential at bin centres, relative to the midplane (mV), shape (bins,)."""
    charge = _charge_at_edges(system, densities)
    # the integral over the left half of each bin, through which the field varies linearly
    half_bin = (3 * charge[:-1] + charge[1:]) / 8
    return _potential_at_edges(system, densities)[:-1] - half_bin * _drop_per_charge(system, charge)


def wall_potential(system: SlitSystem, densities: np.ndarray) -> float:
    """Mean electrostatic potential at the walls, z = ±h/2, relative to the midplane (mV)."""
    return float(_potential_at_edges(system, densities)[0])


def screening_length(system: SlitSystem, densities: np.ndarray) -> float:
    """Distance from a charged wall at which the ions screen it (nm).

    Going from the midplane towards a wall, find where the integrated charge first exceeds a
    fraction p of the wall charge. The screening length is the distance of this point from the wall,
    averaged over p from 3 to 7 %.

    Returns
    -------
    float
        nan if the walls carry no charge, or if the screened layer around the midplane is narrower
        than `MIN_PLATEAU`: by symmetry, the integrated charge is always zero at the midplane.
    """
    wall = abs(system.actual_surface_charge_density)
    if wall == 0:
        return np.nan
    bins = densities.shape[-1]
    charge = np.abs(_charge_at_edges(system, densities)[: bins // 2 + 1]) / wall
    if charge[-round(MIN_PLATEAU * bins) :].max() > SCREENING_LEVELS[0]:
        return np.nan
    crossings = [_crossing(charge, level) for level in SCREENING_LEVELS]
    return float(np.mean(crossings) * system.confinement_length / bins)


def _crossing(charge: np.ndarray, level: float) -> float:
    """Distance from the wall, in bins, beyond which the charge stays below a level."""
    last = np.flatnonzero(charge > level)[-1]  # exists, because the charge at the wall is 1
    return last + (charge[last] - level) / (charge[last] - charge[last + 1])


def _charge_at_edges(system: SlitSystem, densities: np.ndarray) -> np.ndarray:
    """Charge per area (C/m²) from the left wall to each bin edge, shape (bins + 1,)."""
    density = net_charge_density(system, densities)
    layers = CHARGE_PER_MOLAR_NM * density * system.confinement_length / len(density)
    return system.actual_surface_charge_density + np.append(0.0, np.cumsum(layers))


def _potential_at_edges(system: SlitSystem, densities: np.ndarray) -> np.ndarray:
    """Potential relative to the midplane (mV) at the bin edges, shape (bins + 1,)."""
    charge = _charge_at_edges(system, densities)
    mean = (charge[1:] + charge[:-1]) / 2
    values = -np.append(0.0, np.cumsum(mean)) * _drop_per_charge(system, charge)
    return values - values[len(values) // 2]


def _drop_per_charge(system: SlitSystem, charge: np.ndarray) -> float:
    """Potential drop (mV) across a bin per 1 C/m² to its left."""
    bin_width = system.confinement_length / (len(charge) - 1) * 1e-9
    return 1000 * bin_width / (constants.epsilon_0 * system.relative_permittivity)
