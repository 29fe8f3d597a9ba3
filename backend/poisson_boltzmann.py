"""Mean-field density profiles from the Poisson-Boltzmann equation.

The system is that of a simulation, but with point ions: each species feels the same soft walls as
in the simulation and the mean potential ψ (k_BT/e). Ion size and correlations are neglected. With
Γ_s ions of species s and Γ wall charges per unit area, both for half the slit (1/nm²),

    n_s = Γ_s exp(−z_s ψ − βU_s) / ∫ exp(−z_s ψ − βU_s) dz,    ψ″ = −4π l_B Σ z_s n_s,

and the wall charge fixes the field at the wall. The solution is the unique minimum of

    J[ψ] = ∫ ψ′² dz / (8π l_B) + Σ Γ_s ln ∫ exp(−z_s ψ − βU_s) dz − Γ ψ(wall),

which is convex, so Newton's method with a line search converges from any starting point. Up to a
constant, −J is the free energy at fixed numbers of ions (E. S. Reiner and C. J. Radke, J. Chem.
Soc., Faraday Trans. 86, 3901, 1990). Densities are piecewise constant on a grid that is refined
where they change rapidly. The discretisation conserves ions and charge exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.linalg import solveh_banded

from backend.profiles.bins import BINS, HALF, bin_centres
from backend.profiles.density import DensityProfile, SlitProfiles
from backend.system import MOLAR, SPECIES, SlitSystem
from backend.walls import wall_energy

CELLS_PER_BIN = 2
"""Cells per bin of the initial grid."""

MAX_CHANGE = 0.02
"""Cells are refined where the density differs from a neighbouring cell's by more than this fraction
of its maximum."""

MAX_SPLIT = 8
"""Maximum number of cells that replace a cell in one refinement."""

MAX_REFINEMENTS = 10

TOLERANCE = 1e-12
"""Newton's method stops when the expected decrease of J falls below this value (k_BT per ion)."""

MAX_STEPS = 200
"""Maximum number of Newton steps on a grid."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(4)


@dataclass(frozen=True)
class Grid:
    """Cells from the left wall to the midplane.

    Attributes
    ----------
    left, width : ndarray, shape (cells,)
        Distance of the left edge from the wall and width of each cell (nm).
    bin : ndarray of int, shape (cells,)
        Index of the bin that contains each cell.
    """

    left: np.ndarray
    width: np.ndarray
    bin: np.ndarray

    @classmethod
    def of_bins(cls, system: SlitSystem) -> Self:
        """Split each bin of the left half into equal cells."""
        width = system.confinement_length / BINS
        return cls(width * np.arange(HALF), np.full(HALF, width), np.arange(HALF)).refined(
            np.full(HALF, CELLS_PER_BIN)
        )

    def refined(self, splits: np.ndarray) -> Self:
        """Return the grid with each cell split into the given number of equal cells.

        Parameters
        ----------
        splits : ndarray of int, shape (cells,)
            Number of new cells for each cell; 1 keeps it.
        """
        width = np.repeat(self.width / splits, splits)
        index = np.arange(splits.sum()) - np.repeat(np.cumsum(splits) - splits, splits)
        left = np.repeat(self.left, splits) + index * width
        return type(self)(left, width, np.repeat(self.bin, splits))

    @property
    def centre(self) -> np.ndarray:
        """Distance of the cell centres from the wall (nm)."""
        return self.left + self.width / 2

    def per_bin(self, values: np.ndarray) -> np.ndarray:
        """Sums over the cells of each bin, shape (..., 150)."""
        return np.add.reduceat(values, np.searchsorted(self.bin, np.arange(HALF)), axis=-1)


@dataclass(frozen=True)
class MeanField:
    """Solution in the left half of the slit.

    Attributes
    ----------
    grid : Grid
    potential : ndarray, shape (cells,)
        ψ (k_BT/e) at the cell centres; zero at the midplane.
    ions : ndarray, shape (2, cells)
        Number of ions per unit area in each cell (1/nm²); positive ions first.
    """

    grid: Grid
    potential: np.ndarray
    ions: np.ndarray

    @property
    def density(self) -> np.ndarray:
        """Densities (1/nm³), shape (2, cells)."""
        return self.ions / self.grid.width

    @property
    def splits(self) -> np.ndarray:
        """Number of cells that replace each cell in the next refinement, shape (cells,)."""
        density = self.density / self.density.max(axis=1, keepdims=True)
        change = np.abs(np.diff(density, axis=1)).max(axis=0)
        splits = np.ceil(np.maximum(np.append(0, change), np.append(change, 0)) / MAX_CHANGE)
        return np.clip(splits, 1, MAX_SPLIT).astype(int)


def poisson_boltzmann(system: SlitSystem) -> SlitProfiles:
    """Compute the mean-field density profiles of a system in the bins of a simulation.

    Parameters
    ----------
    system : SlitSystem
        Any system that the engine accepts.

    Returns
    -------
    SlitProfiles
        Densities (M) averaged over each of the 300 bins, for the number of ions in a simulation. In
        water their error is below 0.1 % of the maximum. `error` is zero: the solution of an
        equation has no statistical error.

    Raises
    ------
    ArithmeticError
        If Newton's method does not converge. No system is known to cause this.
    """
    field = mean_field(system)
    left = field.grid.per_bin(field.ions) * BINS / (system.confinement_length * MOLAR)
    z = bin_centres(system)
    positive, negative = (
        DensityProfile(z, np.concatenate([density, density[::-1]]), np.zeros(BINS))
        for density in left
    )
    return SlitProfiles(positive, negative)


def mean_field(system: SlitSystem) -> MeanField:
    """Solve the Poisson-Boltzmann equation of a system on an adaptively refined grid."""
    grid = Grid.of_bins(system)
    field = _solution(system, grid, np.zeros(len(grid.width)))
    for _ in range(MAX_REFINEMENTS):
        splits = field.splits
        if np.all(splits == 1):
            break
        grid = field.grid.refined(splits)
        start = np.interp(grid.centre, field.grid.centre, field.potential)
        field = _solution(system, grid, start)
    return field


# --- solution on a fixed grid ---------------------------------------------------------------


def _solution(system: SlitSystem, grid: Grid, potential: np.ndarray) -> MeanField:
    """Solve on a grid by Newton's method, starting from a potential."""
    energy = FreeEnergy.of(system, grid)
    for _ in range(MAX_STEPS):
        step, decrease = energy.newton_step(potential)
        if decrease < TOLERANCE * energy.per_area.sum():
            potential = potential + step
            return MeanField(grid, potential - potential[-1], energy.ions(potential))
        potential = energy.line_search(potential, step, decrease)
    raise ArithmeticError(f"Newton's method did not converge for the mean field of {system}")


@dataclass(frozen=True)
class FreeEnergy:
    """The functional J on a grid.

    Attributes
    ----------
    per_area : ndarray, shape (2,)
        Γ_s: ions in half the slit per unit area (1/nm²).
    valencies : ndarray, shape (2,)
        z_s.
    stiffness : ndarray, shape (cells - 1,)
        The field energy between two neighbouring cells is stiffness (1/nm²)/2 times the square of
        their difference in ψ.
    log_volume : ndarray, shape (2, cells)
        ln ∫ exp(−βU_s) dz over each cell (nm).
    """

    per_area: np.ndarray
    valencies: np.ndarray
    stiffness: np.ndarray
    log_volume: np.ndarray

    @classmethod
    def of(cls, system: SlitSystem, grid: Grid) -> Self:
        """Return the functional of a system on a grid."""
        return cls(
            np.array(system.counts) / (2 * system.box_length**2),
            np.array(system.valencies),
            1 / (4 * np.pi * system.bjerrum_length * np.diff(grid.centre)),
            np.array([_log_volume(system, species, grid) for species in SPECIES]),
        )

    def _fractions(self, potential: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fraction of the ions in each cell, shape (2, cells), and ln ∫ exp(−z_s ψ − βU_s) dz."""
        exponent = self.log_volume - np.outer(self.valencies, potential)
        largest = exponent.max(axis=1, keepdims=True)
        weight = np.exp(exponent - largest)
        total = weight.sum(axis=1, keepdims=True)
        return weight / total, (largest + np.log(total))[:, 0]

    def ions(self, potential: np.ndarray) -> np.ndarray:
        """Number of ions per unit area in each cell (1/nm²), shape (2, cells)."""
        return self.per_area[:, None] * self._fractions(potential)[0]

    @property
    def wall(self) -> float:
        """Γ, which balances the charge of the ions (1/nm²)."""
        return -float(self.valencies @ self.per_area)

    def value(self, potential: np.ndarray) -> float:
        """J (k_BT/nm²)."""
        field = 0.5 * self.stiffness @ np.diff(potential) ** 2
        return field + self.per_area @ self._fractions(potential)[1] - self.wall * potential[0]

    def newton_step(self, potential: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the Newton step of ψ and twice the decrease of J that the step predicts.

        The Hessian of J is a tridiagonal matrix minus a dyad for each species; the linear system is
        solved with the Sherman-Morrison-Woodbury formula. ψ of the last cell is held fixed.
        """
        fractions, _ = self._fractions(potential)
        charges = self.valencies * self.per_area
        flux = self.stiffness * np.diff(potential)
        gradient = np.append(0.0, flux) - np.append(flux, 0.0) - charges @ fractions
        gradient[0] -= self.wall
        diagonal = np.append(self.stiffness, 0.0) + np.append(0.0, self.stiffness)
        diagonal += (self.valencies * charges) @ fractions
        dyads = (self.valencies * np.sqrt(self.per_area))[:, None] * fractions[:, :-1]
        banded = np.array([np.append(0.0, -self.stiffness[:-1]), diagonal[:-1]])
        right_sides = np.vstack([-gradient[:-1], dyads]).T
        solutions = solveh_banded(banded, right_sides, check_finite=False)
        free, corrections = solutions[:, 0], solutions[:, 1:]
        weights = np.linalg.solve(np.eye(2) - dyads @ corrections, dyads @ free)
        step = np.append(free + corrections @ weights, 0.0)
        return step, float(-gradient @ step)

    def line_search(self, potential: np.ndarray, step: np.ndarray, decrease: float) -> np.ndarray:
        """Return ψ after a step, which is halved until it decreases J sufficiently."""
        before = self.value(potential)
        rounding = 1e-13 * abs(before)
        length = 1.0
        while self.value(potential + length * step) > before - 1e-4 * length * decrease + rounding:
            length /= 2
        return potential + length * step


def _log_volume(system: SlitSystem, species: str, grid: Grid) -> np.ndarray:
    """Logarithm of ∫ exp(−βU) dz over each cell by 4-point Gauss-Legendre quadrature."""
    half = system.confinement_length / 2
    z = grid.centre[:, None] + grid.width[:, None] / 2 * _NODES - half
    energy = wall_energy(system, species, z)
    lowest = energy.min(axis=1)
    accessible = np.isfinite(lowest)
    above = energy[accessible] - lowest[accessible, None]
    log_volume = np.full(len(lowest), -np.inf)
    mean = np.exp(-above) @ _WEIGHTS / 2
    log_volume[accessible] = np.log(mean * grid.width[accessible]) - lowest[accessible]
    return log_volume
