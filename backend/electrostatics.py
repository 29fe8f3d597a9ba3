"""Coulomb interaction of ions that are periodic in x and y but not in z.

As in Ewald's method, but for a slit, the pair interaction is split into two parts: a short-ranged
force between nearest images, 1/r³ − Q(r²) times the displacement, which vanishes smoothly at half
the box, and a remainder so smooth that a few plane waves represent its energy,

    Σ c_abm cos(2πa x) cos(2πb y) cos(2πm z/H).

All coefficients are fitted together, by least squares, to the target forces: those of a
two-dimensional Ewald sum (`periodic`), or those of charged sheets (`sheets`).

All quantities are in units of the box side L: distances in L, pair energies in
k_BT l_B z_i z_j/L, pair forces in k_BT l_B z_i z_j/L².
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.special import erf, erfc

SHORT_TERMS = 5
"""Number of coefficients of the polynomial Q."""

SHORT_RANGE = 0.5
"""Range of the short-ranged part: half the box, so that it includes only nearest images."""

LATERAL_WAVES = 5
"""Largest a² + b²."""

NORMAL_WAVES = 4
"""Largest m."""

OWN_IMAGES = -3.900264920
"""Energy of a unit charge with its images and a neutralising background: a square lattice."""


@dataclass(frozen=True)
class Splitting:
    """The interaction of a pair as a short-ranged part and plane waves.

    Attributes
    ----------
    short : ndarray, shape (SHORT_TERMS,)
        Coefficients of Q: the short-ranged force is (1/r³ − Σ short_p r^2p) times the displacement.
    short_range : float
        Range of the short-ranged part.
    waves : ndarray, shape (a, b, m)
        Coefficients of the waves' energy.
    height : float
        Period H of the waves along z, several times the largest distance between ions.
    error : float
        Root-mean-square error of a component of the pair force.
    constant : float
        Energy of the periodic system minus the sum of `pair_energy` over all pairs, divided by
        Σ z². It corrects for the ions' own images and for the constant of `pair_energy`.
    """

    short: np.ndarray
    short_range: float
    waves: np.ndarray
    height: float
    error: float
    constant: float = 0.0

    def pair_energy(self, displacements: np.ndarray) -> np.ndarray:
        """Return the energy of pairs, shape (n,).

        The displacements have shape (n, 3), with |x| and |y| ≤ 1/2.
        """
        displacements = np.asarray(displacements, dtype=float)
        r2 = np.minimum((displacements**2).sum(axis=1), self.short_range**2)
        energy = self._short_energy(r2) - self._short_energy(np.array([self.short_range**2]))
        for factor, wave in self._weighted_waves():
            energy = energy + factor * _wave_energy(displacements, wave, self.height)
        return energy

    def pair_force(self, displacements: np.ndarray) -> np.ndarray:
        """Return the force on the displaced ion, shape (n, 3)."""
        displacements = np.asarray(displacements, dtype=float)
        r2 = (displacements**2).sum(axis=1)
        strength = r2**-1.5 - np.polynomial.polynomial.polyval(r2, self.short)
        force = np.where(r2 < self.short_range**2, strength, 0.0)[:, None] * displacements
        for factor, wave in self._weighted_waves():
            force = force + factor * _wave_force(displacements, wave, self.height)
        return force

    def _short_energy(self, r2: np.ndarray) -> np.ndarray:
        powers = 2 * (np.arange(len(self.short)) + 1)
        return 1 / np.sqrt(r2) + r2 * np.polynomial.polynomial.polyval(r2, self.short / powers)

    def _weighted_waves(self) -> Iterator[tuple[float, tuple[int, int, int]]]:
        for a, b, m in np.argwhere(self.waves):
            yield self.waves[a, b, m], (a, b, m)


def splitting(width_to_box: float, electrostatics: str = "periodic") -> Splitting:
    """Return the splitting of the pair interaction in a slit.

    Parameters
    ----------
    width_to_box : float
        Ratio h/L of the slit width to the box side.
    electrostatics : {"periodic", "sheets"}
        All images of every ion; or the nearest image, with all other images replaced by an
        infinite charged sheet with a square hole of side L (G. M. Torrie, J. P. Valleau,
        J. Chem. Phys. 73, 5807 (1980)).
    """
    return {"periodic": _periodic, "sheets": _sheets}[electrostatics](width_to_box)


@lru_cache(maxsize=1024)
def _periodic(width_to_box: float) -> Splitting:
    sample = _random_displacements(width_to_box)
    height = _wave_height(width_to_box)
    r2 = (sample**2).sum(axis=1)
    inside = (r2 < SHORT_RANGE**2)[:, None] * sample
    # Q(r²) = 1/r³ at the short range, so that the force has no discontinuity there
    end = SHORT_RANGE**-3
    energy, force = ewald_pair(sample)
    wanted = force - inside * (r2**-1.5 - end)[:, None]
    powers = [(r2 - SHORT_RANGE**2) * r2**p for p in range(SHORT_TERMS - 1)]
    waves = [
        (a, b, m)
        for a in range(4)
        for b in range(a + 1)
        for m in range(NORMAL_WAVES + 1)
        if a * a + b * b <= LATERAL_WAVES and a + b + m > 0
    ]
    basis = [-inside * power[:, None] for power in powers]
    basis += [_square_wave_force(sample, wave, height) for wave in waves]
    coefficients, error = _least_squares(basis, wanted)
    short = np.polynomial.polynomial.polymul(coefficients[: len(powers)], [-(SHORT_RANGE**2), 1])
    short[0] += end
    size = max(a for a, _, _ in waves) + 1
    table = np.zeros((size, size, NORMAL_WAVES + 1))
    for (a, b, m), factor in zip(waves, coefficients[len(powers) :], strict=True):
        table[a, b, m] += factor / 2
        table[b, a, m] += factor / 2
    split = Splitting(short, SHORT_RANGE, table, height, error)
    return _with_constant(split, energy - split.pair_energy(sample))


@lru_cache(maxsize=64)
def _sheets(width_to_box: float) -> Splitting:
    sample = np.zeros((400, 3))
    sample[:, 2] = np.linspace(-width_to_box, width_to_box, len(sample))
    height = _wave_height(width_to_box)
    basis = [_wave_force(sample, (0, 0, m), height) for m in range(1, NORMAL_WAVES + 1)]
    coefficients, error = _least_squares(basis, sheet_force(sample))
    # nearest images interact at any distance, so the range exceeds all their distances
    everywhere = 1.0
    table = np.concatenate([[0.0], coefficients]).reshape(1, 1, -1)
    split = Splitting(np.zeros(SHORT_TERMS), everywhere, table, height, error)
    sample = _random_displacements(width_to_box)
    return _with_constant(split, ewald_pair(sample)[0] - split.pair_energy(sample))


def _with_constant(split: Splitting, lacking: np.ndarray) -> Splitting:
    """Return the splitting with its constant, from the energies missing for a sample of pairs."""
    # the system is neutral: Σ z_i z_j over all pairs is −Σ z²/2
    return replace(split, constant=(OWN_IMAGES - float(lacking.mean())) / 2)


def _random_displacements(width_to_box: float) -> np.ndarray:
    """Return displacements of pairs of ions at random positions in the slit, shape (n, 3)."""
    sample = np.random.default_rng(20).random((3000, 3)) - 0.5
    heights = np.random.default_rng(21).random((2, len(sample)))
    sample[:, 2] = width_to_box * (heights[0] - heights[1])
    return sample


def _wave_height(width_to_box: float) -> float:
    """Return the period of the waves along z, long enough for a few waves to fit the forces."""
    return max(7 * width_to_box, 0.8)


def _least_squares(basis: list[np.ndarray], wanted: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the least-squares coefficients for the target forces, and the residual error."""
    matrix = np.array(basis).reshape(len(basis), -1).T
    coefficients, *_ = np.linalg.lstsq(matrix, wanted.ravel(), rcond=1e-10)
    return coefficients, float(np.sqrt(np.mean((matrix @ coefficients - wanted.ravel()) ** 2)))


def _square_wave_force(
    displacements: np.ndarray, wave: tuple[int, int, int], height: float
) -> np.ndarray:
    """Return the mean force of a wave and its mirror image x ↔ y."""
    a, b, m = wave
    mirrored = _wave_force(displacements, (b, a, m), height)
    return (_wave_force(displacements, wave, height) + mirrored) / 2


def _wave_energy(
    displacements: np.ndarray, wave: tuple[int, int, int], height: float
) -> np.ndarray:
    return np.cos(displacements * _wave_vector(wave, height)).prod(axis=1)


def _wave_force(displacements: np.ndarray, wave: tuple[int, int, int], height: float) -> np.ndarray:
    vector = _wave_vector(wave, height)
    cosine, sine = np.cos(displacements * vector), np.sin(displacements * vector)
    others = np.stack([cosine[:, [1, 2]], cosine[:, [0, 2]], cosine[:, [0, 1]]], axis=1)
    return vector * sine * others.prod(axis=2)


def _wave_vector(wave: tuple[int, int, int], height: float) -> np.ndarray:
    a, b, m = wave
    return 2 * np.pi * np.array([a, b, m / height])


def sheet_force(displacements: np.ndarray) -> np.ndarray:
    """Return the force of an infinite sheet of unit charge per L² with a square hole.

    The displacements from the centre of the hole and the forces have shape (n, 3); only z matters.
    """
    z = np.asarray(displacements, dtype=float)[:, 2]
    force = np.zeros((len(z), 3))
    force[:, 2] = 4 * np.arctan(4 * z * np.sqrt(z * z + 0.5))
    return force


def ewald_pair(
    displacements: np.ndarray, *, screening: float = 6.0, real_shells: int = 2, waves: int = 12
) -> tuple[np.ndarray, np.ndarray]:
    """Return the energy and force of a pair of unit charges with all images, by a 2D Ewald sum.

    Parameters
    ----------
    displacements : ndarray, shape (n, 3)
        Displacement of one ion from the other (L).
    screening : float
        Ewald splitting parameter α L.
    real_shells, waves : int
        Cut-offs of the sums over images and over wave vectors.

    Returns
    -------
    energy : ndarray, shape (n,)
    force : ndarray, shape (n, 3)
        Force on the displaced ion.

    Notes
    -----
    D. M. Heyes, M. Barber, J. H. R. Clarke, J. Chem. Soc. Faraday Trans. 2 73, 1485 (1977);
    the constant of the k = 0 term is omitted.
    """
    displacements = np.asarray(displacements, dtype=float)
    energy, force = _real_space(displacements, screening, real_shells)
    for part in (_wave_space(displacements, screening, waves), _plane(displacements, screening)):
        energy += part[0]
        force += part[1]
    return energy, force


def _real_space(
    displacements: np.ndarray, screening: float, shells: int
) -> tuple[np.ndarray, np.ndarray]:
    energy = np.zeros(len(displacements))
    force = np.zeros_like(displacements)
    for nx in range(-shells, shells + 1):
        for ny in range(-shells, shells + 1):
            image = displacements + np.array([nx, ny, 0.0])
            r2 = (image**2).sum(axis=1)
            r = np.sqrt(r2)
            screened = erfc(screening * r) / r
            gaussian = 2 * screening / np.sqrt(np.pi) * np.exp(-((screening * r) ** 2))
            energy += screened
            force += ((screened + gaussian) / r2)[:, None] * image
    return energy, force


def _wave_space(
    displacements: np.ndarray, screening: float, waves: int
) -> tuple[np.ndarray, np.ndarray]:
    energy = np.zeros(len(displacements))
    force = np.zeros_like(displacements)
    x, y, z = displacements.T
    for nx in range(-waves, waves + 1):
        for ny in range(-waves, waves + 1):
            if nx == ny == 0 or nx * nx + ny * ny > waves * waves:
                continue
            gx, gy = 2 * np.pi * nx, 2 * np.pi * ny
            g = np.hypot(gx, gy)
            up = np.exp(g * z) * erfc(g / (2 * screening) + screening * z)
            down = np.exp(-g * z) * erfc(g / (2 * screening) - screening * z)
            phase = gx * x + gy * y
            amplitude = np.pi / g * (up + down)
            energy += amplitude * np.cos(phase)
            force[:, 0] += gx * amplitude * np.sin(phase)
            force[:, 1] += gy * amplitude * np.sin(phase)
            # the derivatives of the two erfc factors cancel
            force[:, 2] -= np.pi * (up - down) * np.cos(phase)
    return energy, force


def _plane(displacements: np.ndarray, screening: float) -> tuple[np.ndarray, np.ndarray]:
    z = displacements[:, 2]
    gaussian = np.exp(-((screening * z) ** 2)) / (screening * np.sqrt(np.pi))
    energy = -2 * np.pi * (gaussian + z * erf(screening * z))
    force = np.zeros_like(displacements)
    force[:, 2] = 2 * np.pi * erf(screening * z)
    return energy, force
