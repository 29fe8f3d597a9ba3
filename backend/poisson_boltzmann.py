"""Mean-field profiles: the Poisson-Boltzmann equation of the very system that is simulated.

Ions are points that feel the same soft walls, each species its own, and the mean potential ψ
(k_BT/e). What else they do to each other, by their size and by their correlations, is left out.
With Γ_s ions of species s and Γ charges of the wall per area, each of half the slit (1/nm²),

    n_s = Γ_s exp(−z_s ψ − βU_s) / ∫ exp(−z_s ψ − βU_s) dz,    ψ″ = −4π l_B Σ z_s n_s,

and the field at the wall is that of its charge. The solution is the only minimum of

    J[ψ] = ∫ ψ′² dz / (8π l_B) + Σ Γ_s ln ∫ exp(−z_s ψ − βU_s) dz − Γ ψ(wall),

which is convex, so that Newton's method with a line search finds it from anywhere. −J is, up to a
constant, the free energy of given numbers of ions (E. S. Reiner and C. J. Radke, J. Chem. Soc.,
Faraday Trans. 86, 3901, 1990). Densities are constant in the cells of a grid, which is finer where
they change fast: every ion and every charge is counted exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.linalg import solveh_banded

from backend.profiles.bins import BINS, bin_centres
from backend.profiles.density import DensityProfile, SlitProfiles
from backend.system import MOLAR, SPECIES, SlitSystem
from backend.walls import wall_energy

HALF = BINS // 2

CELLS_PER_BIN = 2
"""Cells of a bin before any of them is divided."""

LARGEST_CHANGE = 0.02
"""Cells are divided where a density differs from that of a neighbour by more than this share of its
maximum."""

MOST_PIECES = 8
MOST_DIVISIONS = 10
"""A cell is divided into at most so many pieces at a time, and at most so many times."""

PRECISION = 1e-12
"""Newton's method ends when it would lower J by less than this, in k_BT for each ion."""

MOST_STEPS = 200

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(4)


@dataclass(frozen=True)
class Grid:
    """Cells from the left wall to the middle.

    Attributes
    ----------
    left, width : ndarray, shape (cells,)
        Left edge, as a distance from the wall, and width of each cell (nm).
    bin : ndarray of int, shape (cells,)
        The bin that each cell is a part of.
    """

    left: np.ndarray
    width: np.ndarray
    bin: np.ndarray

    @classmethod
    def of_bins(cls, system: SlitSystem) -> Self:
        """Each bin of the left half divided into equal cells."""
        width = system.confinement_length / BINS
        return cls(width * np.arange(HALF), np.full(HALF, width), np.arange(HALF)).divided(
            np.full(HALF, CELLS_PER_BIN)
        )

    def divided(self, pieces: np.ndarray) -> Self:
        """Each cell divided into its number of equal pieces."""
        width = np.repeat(self.width / pieces, pieces)
        place = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        left = np.repeat(self.left, pieces) + place * width
        return type(self)(left, width, np.repeat(self.bin, pieces))

    @property
    def centre(self) -> np.ndarray:
        """Distance of the centres of the cells from the wall (nm)."""
        return self.left + self.width / 2

    def per_bin(self, values: np.ndarray) -> np.ndarray:
        """Sums over the cells of each bin, shape (..., 150)."""
        return np.add.reduceat(values, np.searchsorted(self.bin, np.arange(HALF)), axis=-1)


@dataclass(frozen=True)
class MeanField:
    """The solution in the left half of the slit.

    Attributes
    ----------
    grid : Grid
        Its cells.
    potential : ndarray, shape (cells,)
        ψ (k_BT/e) at the centres of the cells; zero in the middle.
    ions : ndarray, shape (2, cells)
        Ions per area in each cell (1/nm²), positive ions first.
    """

    grid: Grid
    potential: np.ndarray
    ions: np.ndarray

    @property
    def density(self) -> np.ndarray:
        """Densities (1/nm³), shape (2, cells)."""
        return self.ions / self.grid.width

    @property
    def pieces(self) -> np.ndarray:
        """How many pieces each cell should be divided into, shape (cells,)."""
        density = self.density / self.density.max(axis=1, keepdims=True)
        change = np.abs(np.diff(density, axis=1)).max(axis=0)
        pieces = np.ceil(np.maximum(np.append(0, change), np.append(change, 0)) / LARGEST_CHANGE)
        return np.clip(pieces, 1, MOST_PIECES).astype(int)


def poisson_boltzmann(system: SlitSystem) -> SlitProfiles:
    """Mean-field profiles of a system, over the bins of a simulation.

    Parameters
    ----------
    system : SlitSystem
        Any that the engine accepts.

    Returns
    -------
    SlitProfiles
        Densities (M), averaged over each of the 300 bins, of as many ions as a simulation has. In
        water they are exact to a thousandth of the largest. Errors are 0: the solution of an
        equation has no statistical error.

    Raises
    ------
    ArithmeticError
        Newton's method did not end, which no system is known to bring about.
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
    """The solution on a grid that is as fine as it asks for."""
    grid = Grid.of_bins(system)
    field = _solution(system, grid, np.zeros(len(grid.width)))
    for _ in range(MOST_DIVISIONS):
        pieces = field.pieces
        if np.all(pieces == 1):
            break
        grid = field.grid.divided(pieces)
        start = np.interp(grid.centre, field.grid.centre, field.potential)
        field = _solution(system, grid, start)
    return field


# --- on a given grid ------------------------------------------------------------------------


def _solution(system: SlitSystem, grid: Grid, potential: np.ndarray) -> MeanField:
    """The solution on a grid, by Newton's method from some potential."""
    energy = FreeEnergy.of(system, grid)
    for _ in range(MOST_STEPS):
        step, decrease = energy.newton_step(potential)
        if decrease < PRECISION * energy.per_area.sum():
            potential = potential + step
            return MeanField(grid, potential - potential[-1], energy.ions(potential))
        potential = energy.lowered(potential, step, decrease)
    raise ArithmeticError(f"the Poisson-Boltzmann equation of {system} was not solved")


@dataclass(frozen=True)
class FreeEnergy:
    """The functional J in cells.

    Attributes
    ----------
    per_area : ndarray, shape (2,)
        Γ_s: ions in half the slit per area (1/nm²).
    valencies : ndarray, shape (2,)
        z_s.
    stiffness : ndarray, shape (cells - 1,)
        Field energy of two neighbouring cells is half of this (1/nm²) times their difference of ψ
        squared.
    log_volume : ndarray, shape (2, cells)
        ln ∫ exp(−βU_s) dz over each cell (nm).
    """

    per_area: np.ndarray
    valencies: np.ndarray
    stiffness: np.ndarray
    log_volume: np.ndarray

    @classmethod
    def of(cls, system: SlitSystem, grid: Grid) -> Self:
        """That of a system on a grid."""
        return cls(
            np.array(system.counts) / (2 * system.box_length**2),
            np.array(system.valencies),
            1 / (4 * np.pi * system.bjerrum_length * np.diff(grid.centre)),
            np.array([_log_volume(system, species, grid) for species in SPECIES]),
        )

    def _shares(self, potential: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Share of the ions in each cell, shape (2, cells), and ln ∫ exp(−z_s ψ − βU_s) dz."""
        exponent = self.log_volume - np.outer(self.valencies, potential)
        largest = exponent.max(axis=1, keepdims=True)
        weight = np.exp(exponent - largest)
        total = weight.sum(axis=1, keepdims=True)
        return weight / total, (largest + np.log(total))[:, 0]

    def ions(self, potential: np.ndarray) -> np.ndarray:
        """Ions per area in each cell (1/nm²), shape (2, cells)."""
        return self.per_area[:, None] * self._shares(potential)[0]

    @property
    def wall(self) -> float:
        """Γ, minus the charge of the ions (1/nm²)."""
        return -float(self.valencies @ self.per_area)

    def value(self, potential: np.ndarray) -> float:
        """J (k_BT/nm²)."""
        field = 0.5 * self.stiffness @ np.diff(potential) ** 2
        return field + self.per_area @ self._shares(potential)[1] - self.wall * potential[0]

    def newton_step(self, potential: np.ndarray) -> tuple[np.ndarray, float]:
        """What to add to ψ, and twice the decrease of J that Newton's method expects of it.

        The second derivatives of J are a matrix with three diagonals less two dyads, one of each
        species, for which the Sherman-Morrison-Woodbury formula accounts. ψ of the last cell stays.
        """
        shares, _ = self._shares(potential)
        charges = self.valencies * self.per_area
        flux = self.stiffness * np.diff(potential)
        slope = np.append(0.0, flux) - np.append(flux, 0.0) - charges @ shares
        slope[0] -= self.wall
        diagonal = np.append(self.stiffness, 0.0) + np.append(0.0, self.stiffness)
        diagonal += (self.valencies * charges) @ shares
        dyads = (self.valencies * np.sqrt(self.per_area))[:, None] * shares[:, :-1]
        banded = np.array([np.append(0.0, -self.stiffness[:-1]), diagonal[:-1]])
        sides = np.vstack([-slope[:-1], dyads]).T
        solved = solveh_banded(banded, sides, check_finite=False)
        free, answers = solved[:, 0], solved[:, 1:]
        share = np.linalg.solve(np.eye(2) - dyads @ answers, dyads @ free)
        step = np.append(free + answers @ share, 0.0)
        return step, float(-slope @ step)

    def lowered(self, potential: np.ndarray, step: np.ndarray, decrease: float) -> np.ndarray:
        """ψ after a step, or as much of it as lowers J."""
        before = self.value(potential)
        rounding = 1e-13 * abs(before)
        part = 1.0
        while self.value(potential + part * step) > before - 1e-4 * part * decrease + rounding:
            part /= 2
        return potential + part * step


def _log_volume(system: SlitSystem, species: str, grid: Grid) -> np.ndarray:
    """Logarithm of ∫ exp(−βU) dz over each cell, shape (cells,); Gauss's formula of 4 points."""
    half = system.confinement_length / 2
    places = grid.centre[:, None] + grid.width[:, None] / 2 * _NODES - half
    energy = wall_energy(system, species, places)
    least = energy.min(axis=1)
    reachable = np.isfinite(least)
    above = energy[reachable] - least[reachable, None]
    volume = np.full(len(least), -np.inf)
    mean = np.exp(-above) @ _WEIGHTS / 2
    volume[reachable] = np.log(mean * grid.width[reachable]) - least[reachable]
    return volume
