"""Density profiles from a few coefficients.

The density of an ion species is written as ρ(z) = ρ̄ y(z) exp(−βU_wall(z)) / ⟨y exp(−βU_wall)⟩. At
the soft wall ρ halves within 0.01 nm, but y is smooth through the wall, and ln y is a short sum of
even Chebyshev polynomials of z. For any coefficients, the profile

- is mirror symmetric, never negative, and zero where the walls exclude ions,
- has the mean ρ̄ given by the inputs, so that the slit as a whole is electroneutral.

Arrays have one row for each system; both ions have the same diameter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np

from backend.profiles.bins import BINS, HALF
from backend.system import SPECIES, SlitSystem
from backend.walls import WCA_RANGE, wall_geometry

TERMS = 14
"""Number of coefficients of each species. Ten fit the training profiles to within 0.15 %."""

REACH = 0.88
"""End of the domain of the polynomials: distance from the repelling plane in units of the WCA size.
At smaller distances the Boltzmann factor is below 2·10⁻⁵."""

SMALLEST_FACTOR = 1e-4
"""Bins whose mean Boltzmann factor is smaller count as empty."""


@dataclass(frozen=True)
class Slits:
    """Geometry of several slits.

    Attributes
    ----------
    width : ndarray, shape (systems,)
        Width h (nm).
    size, plane : ndarray, shape (systems,)
        WCA size of the walls (nm), and |z| of the plane that repels the ions (nm).
    """

    width: np.ndarray
    size: np.ndarray
    plane: np.ndarray

    @classmethod
    def of(cls, systems: Sequence[SlitSystem]) -> Self:
        """Return the slits of systems with ions of equal diameter."""
        geometries = [wall_geometry(system) for system in systems]
        return cls(
            np.array([system.confinement_length for system in systems]),
            np.array([size[0] for size, _ in geometries]),
            np.array([plane[0] for _, plane in geometries]),
        )

    def __getitem__(self, rows: slice) -> Slits:
        return Slits(self.width[rows], self.size[rows], self.plane[rows])

    def bins(self) -> tuple[np.ndarray, np.ndarray]:
        """Compute the effect of the wall on each bin of the left half.

        Returns
        -------
        factor : ndarray, shape (systems, 150)
            Mean of exp(−βU_wall) over the bin; exactly 0 if it is below `SMALLEST_FACTOR`.
        place : ndarray, shape (systems, 150)
            |z| (nm) of the centroid of exp(−βU_wall) in the bin, where y is evaluated.
        """
        edges = (self.plane[:, None] - self.width[:, None] * _EDGES) / self.size[:, None]
        area, moment = _cumulative(edges)
        area, moment, length = (np.diff(values, axis=1) for values in (area, moment, edges))
        factor = area / length
        centre = (edges[:, 1:] + edges[:, :-1]) / 2
        open_bins = factor > SMALLEST_FACTOR
        centre = np.divide(moment, area, out=centre, where=open_bins)
        place = self.plane[:, None] - self.size[:, None] * centre
        return np.where(open_bins, factor, 0.0), place

    def factor(self, z: np.ndarray) -> np.ndarray:
        """Return exp(−βU_wall) of the nearer wall at z (nm), shape (systems, points)."""
        distance = (self.plane[:, None] - np.abs(z)) / self.size[:, None]
        return _boltzmann(distance)

    def basis(self, z: np.ndarray, terms: int = TERMS) -> np.ndarray:
        """Evaluate the polynomials of ln y at z (nm), shape (systems, points, terms)."""
        reach = self.plane - REACH * self.size
        square = np.minimum((z / reach[:, None]) ** 2, 1.0)
        # T_2k(x) = T_k(2x² − 1)
        return np.polynomial.chebyshev.chebvander(2 * square - 1, terms)[..., 1:]


_EDGES = 0.5 - np.arange(HALF + 1) / BINS
"""|z| of the bin edges in units of h."""


def _boltzmann(distance: np.ndarray) -> np.ndarray:
    """Return exp(−βU) of the WCA repulsion at a distance in units of its size."""
    s6 = np.where(distance > 0, 1 / np.maximum(distance, 1e-9) ** 6, np.inf)
    with np.errstate(invalid="ignore"):
        energy = np.where(s6 > 0.5, 4 * s6 * (s6 - 1) + 1, 0.0)
    return np.exp(-energy)


@cache
def _table() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tabulate ∫exp(−βU) du and ∫u exp(−βU) du from 0 up to the end of the repulsion."""
    u = np.linspace(0.0, WCA_RANGE, 20_001)
    values = _boltzmann(u)
    step = u[1] - u[0]

    def integral(f: np.ndarray) -> np.ndarray:
        return np.concatenate([[0.0], np.cumsum((f[1:] + f[:-1]) / 2 * step)])

    return u, integral(values), integral(values * u)


def _cumulative(distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both integrals of the table up to any distance."""
    u, area, moment = _table()
    end = u[-1]
    beyond = np.maximum(distance, end)
    return (
        np.interp(distance, u, area) + beyond - end,
        np.interp(distance, u, moment) + (beyond**2 - end**2) / 2,
    )


# --- densities and coefficients -------------------------------------------------------------


def profile_of(logarithm: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Return density / mean density in the bins.

    Parameters
    ----------
    logarithm : ndarray, shape (..., bins)
        ln y, up to a constant.
    factor : ndarray, broadcast to the same shape
        Boltzmann factor of the wall.

    Returns
    -------
    ndarray, shape (..., bins)
    """
    weight = factor * np.exp(logarithm - logarithm.max(axis=-1, keepdims=True))
    return weight / weight.mean(axis=-1, keepdims=True)


def coefficients_of(
    slits: Slits, relative: np.ndarray, error: np.ndarray, terms: int = TERMS
) -> np.ndarray:
    """Fit the coefficients of simulated profiles by least squares.

    The coefficients contain the noise of the profiles. They are used only to scale the outputs
    of a network.

    Parameters
    ----------
    slits : Slits
        Slits of the systems.
    relative, error : ndarray, shape (systems, 2, 150)
        Density and its standard error in units of the mean density, both ions.

    Returns
    -------
    ndarray, shape (systems, 2, terms)
    """
    factor, place = slits.bins()
    basis = slits.basis(place, terms)
    # the penalty on higher polynomials limits their noise
    penalty = np.diag(np.append(0.0, 0.1 * np.arange(1, terms + 1)))
    found = np.zeros((len(relative), len(SPECIES), terms))
    for row, ion in np.ndindex(found.shape[:2]):
        used = (factor[row] > 0.01) & (relative[row, ion] > 0)
        density = relative[row, ion, used]
        weight = density / np.hypot(error[row, ion, used], 0.002)
        design = np.column_stack([np.ones(used.sum()), basis[row, used]]) * weight[:, None]
        target = np.log(density / factor[row, used]) * weight
        solution = np.linalg.lstsq(
            np.vstack([design, penalty]), np.append(target, np.zeros(terms + 1)), rcond=None
        )
        found[row, ion] = solution[0][1:]
    return found
