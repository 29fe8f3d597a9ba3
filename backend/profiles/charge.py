"""What the density profiles say about charge: its density, its integral, the potential.

Poisson's equation in one dimension; z runs across the slit, both walls carry the same charge. Every
function takes the densities of both species (M), shape (2, bins), positive ions first; they are
taken as constant within a bin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backend import constants
from backend.files import write_text
from backend.profiles.bins import bin_centres
from backend.profiles.blocks import BlockResiduals
from backend.profiles.density import SlitProfiles
from backend.system import MOLAR, SlitSystem

CHARGE_PER_MOLAR_NM = MOLAR * constants.e * 1e18
"""C/m² of one unit charge per ion at 1 mol/L, in a layer 1 nm thick (0.0965 C/m²)."""

SCREENED = np.linspace(0.03, 0.07, 9)
"""Shares of the wall's charge below which it counts as screened."""

PLATEAU = 20 / 300
"""Width of the screened layer on either side of the middle, at least, as a share of the slit."""


@dataclass(frozen=True)
class ChargeProfile:
    """Charge and potential across the slit, with standard errors from blocks.

    Errors are nan where the run has no blocks, and the screening length where there is none.

    Attributes
    ----------
    z : ndarray, shape (bins,)
        Bin centres (nm).
    density, density_error : ndarray, shape (bins,)
        Net charge density z₊ρ₊ + z₋ρ₋ (e mol/L).
    integrated, integrated_error : ndarray, shape (bins,)
        Charge per area (C/m²) from the left wall, its own charge included, to z.
    potential, potential_error : ndarray, shape (bins,)
        Mean electrostatic potential (mV), zero in the middle.
    wall_potential, wall_potential_error : float
        Potential at the walls (mV).
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
        """What the profiles of a system say, and the blocks that they come from.

        Parameters
        ----------
        system : SlitSystem
        profiles : SlitProfiles
        residuals : BlockResiduals, optional
            Errors are nan where they are left out.
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
        """CSV text, a row for each bin, with the names and units of `COLUMNS` on top."""
        columns = [getattr(self, name) for name in self.COLUMNS.values()]
        rows = [",".join(f"{x:.8g}" for x in row) for row in zip(*columns, strict=True)]
        return "\n".join([",".join(self.COLUMNS), *rows]) + "\n"

    def save(self, folder: Path) -> None:
        """Write ``charge.csv`` into a folder."""
        write_text(folder / self.FILE, self.to_csv())


def net_charge_density(system: SlitSystem, densities: np.ndarray) -> np.ndarray:
    """z₊ρ₊ + z₋ρ₋ (e mol/L), shape (bins,)."""
    return np.array(system.valencies) @ densities


def integrated_charge(system: SlitSystem, densities: np.ndarray) -> np.ndarray:
    """Charge per area from the left wall, its own charge included, to each bin centre.

    Returns
    -------
    ndarray, shape (bins,)
        σ + ∫ (z₊ρ₊ + z₋ρ₋) dz (C/m²): −σ behind the right wall's ions, 0 in the middle. Charged
        walls are screened where it has fallen to zero.
    """
    at_edges = _charge_at_edges(system, densities)
    return (at_edges[1:] + at_edges[:-1]) / 2


def potential(system: SlitSystem, densities: np.ndarray) -> np.ndarray:
    """Mean electrostatic potential at the bin centres (mV), zero in the middle, shape (bins,)."""
    charge = _charge_at_edges(system, densities)
    # The field grows linearly through a bin: this is its integral over the left half of each.
    half_bin = (3 * charge[:-1] + charge[1:]) / 8
    return _potential_at_edges(system, densities)[:-1] - half_bin * _drop_per_charge(system, charge)


def wall_potential(system: SlitSystem, densities: np.ndarray) -> float:
    """Mean electrostatic potential at the walls, z = ±h/2 (mV), against the middle."""
    return float(_potential_at_edges(system, densities)[0])


def screening_length(system: SlitSystem, densities: np.ndarray) -> float:
    """Distance from a charged wall at which the ions have screened it (nm).

    Going from the middle towards the wall, the integrated charge first exceeds a share p of the
    wall's at some distance from the wall; the screening length is the mean of these distances for
    p from 3 to 7 %.

    Returns
    -------
    float
        nan where there is none: the walls carry no charge, or the middle is no screened layer as
        wide as `PLATEAU` says, only the zero that symmetry makes.
    """
    wall = abs(system.actual_surface_charge_density)
    if wall == 0:
        return np.nan
    bins = densities.shape[-1]
    charge = np.abs(_charge_at_edges(system, densities)[: bins // 2 + 1]) / wall
    if charge[-round(PLATEAU * bins) :].max() > SCREENED[0]:
        return np.nan
    exits = [_first_exit(charge, share) for share in SCREENED]
    return float(np.mean(exits) * system.confinement_length / bins)


def _first_exit(charge: np.ndarray, share: float) -> float:
    """Where, in bins from the wall, the charge first exceeds a share on the way from the middle."""
    last = np.flatnonzero(charge > share)[-1]  # there is one: the wall's own charge, 1
    return last + (charge[last] - share) / (charge[last] - charge[last + 1])


def _charge_at_edges(system: SlitSystem, densities: np.ndarray) -> np.ndarray:
    """Charge per area (C/m²) from the left wall to each edge of the bins, shape (bins + 1,)."""
    density = net_charge_density(system, densities)
    layers = CHARGE_PER_MOLAR_NM * density * system.confinement_length / len(density)
    return system.actual_surface_charge_density + np.append(0.0, np.cumsum(layers))


def _potential_at_edges(system: SlitSystem, densities: np.ndarray) -> np.ndarray:
    """Potential (mV) at the edges of the bins, shape (bins + 1,)."""
    charge = _charge_at_edges(system, densities)
    mean = (charge[1:] + charge[:-1]) / 2
    values = -np.append(0.0, np.cumsum(mean)) * _drop_per_charge(system, charge)
    return values - values[len(values) // 2]


def _drop_per_charge(system: SlitSystem, charge: np.ndarray) -> float:
    """Fall of the potential (mV) across a bin for 1 C/m² to its left."""
    bin_width = system.confinement_length / (len(charge) - 1) * 1e-9
    return 1000 * bin_width / (constants.epsilon_0 * system.relative_permittivity)
