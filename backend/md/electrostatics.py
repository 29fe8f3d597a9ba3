"""Coulomb interaction of ions that repeat periodically in x and y but not in z.

The exact interaction of a pair is the minimum-image 1/r plus a correction due to all other images.
Those lie outside the cell, so inside it the correction is harmonic; it is even in x, y and z and
symmetric under x ↔ y. A few solid harmonics r^l P_l^m(z/r) cos mφ (l even, m = 0, 4, 8, …)
therefore replace the two-dimensional Ewald sum for every pair, to any wanted accuracy.

Everything here is in units of the box side L: distances of L, pair energies of k_BT l_B z_i z_j/L,
pair forces of k_BT l_B z_i z_j/L².
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import erf, erfc

HARMONICS = 5
"""Number of fitted harmonics: (l, m) = (2, 0), (4, 0), (4, 4), (6, 0), (6, 4)."""


def ewald_pair(
    displacements: np.ndarray, *, screening: float = 6.0, real_shells: int = 2, waves: int = 12
) -> tuple[np.ndarray, np.ndarray]:
    """Energy and force of one pair of unit charges with all images, by a 2D Ewald sum.

    Parameters
    ----------
    displacements : ndarray, shape (n, 3)
        Displacement of one ion from the other, in units of L.
    screening : float
        Ewald's splitting parameter α L.
    real_shells, waves : int
        Cut-offs of the sums over images and over wave vectors.

    Returns
    -------
    energy : ndarray, shape (n,)
    force : ndarray, shape (n, 3)
        On the ion that is displaced.

    Notes
    -----
    D. M. Heyes, M. Barber, J. H. R. Clarke, J. Chem. Soc. Faraday Trans. 2 73, 1485 (1977);
    the constant of the k = 0 term is left out.
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
            # the derivatives of both erfc are equal and opposite, and cancel
            force[:, 2] -= np.pi * (up - down) * np.cos(phase)
    return energy, force


def _plane(displacements: np.ndarray, screening: float) -> tuple[np.ndarray, np.ndarray]:
    z = displacements[:, 2]
    gaussian = np.exp(-((screening * z) ** 2)) / (screening * np.sqrt(np.pi))
    energy = -2 * np.pi * (gaussian + z * erf(screening * z))
    force = np.zeros_like(displacements)
    force[:, 2] = 2 * np.pi * erf(screening * z)
    return energy, force


def image_correction(displacements: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What all other images add to the energy and force of the minimum image."""
    energy, force = ewald_pair(displacements)
    r = np.linalg.norm(displacements, axis=1)
    return energy - 1 / r, force - displacements / r[:, None] ** 3


def harmonic_energy(displacements: np.ndarray) -> np.ndarray:
    """The harmonics at each displacement, shape (n, HARMONICS)."""
    x, y, z = np.asarray(displacements, dtype=float).T
    u, w = x * x + y * y, z * z
    v = u * u - 8 * (x * y) ** 2
    return np.stack(
        [
            2 * w - u,
            8 * w * w - 24 * w * u + 3 * u * u,
            v,
            16 * w**3 - 120 * w * w * u + 90 * w * u * u - 5 * u**3,
            (10 * w - u) * v,
        ],
        axis=1,
    )


def harmonic_force(displacements: np.ndarray) -> np.ndarray:
    """Minus the gradient of each harmonic, shape (n, 3, HARMONICS)."""
    x, y, z = np.asarray(displacements, dtype=float).T
    u, w = x * x + y * y, z * z
    v = u * u - 8 * (x * y) ** 2
    zero, one = np.zeros_like(u), np.ones_like(u)
    by_u = [-one, 6 * u - 24 * w, zero, -120 * w * w + 180 * w * u - 15 * u * u, -v]
    by_v = [zero, zero, one, zero, 10 * w - u]
    by_w = [2 * one, 16 * w - 24 * u, zero, 48 * w * w - 240 * w * u + 90 * u * u, 10 * v]
    x_part, y_part = 4 * (x * x - 3 * y * y), 4 * (y * y - 3 * x * x)
    forces = [
        [-x * (2 * fu + x_part * fv) for fu, fv in zip(by_u, by_v, strict=True)],
        [-y * (2 * fu + y_part * fv) for fu, fv in zip(by_u, by_v, strict=True)],
        [-2 * z * fw for fw in by_w],
    ]
    return np.array(forces).transpose(2, 0, 1)


@lru_cache(maxsize=64)
def fit_correction(width_to_box: float) -> tuple[tuple[float, ...], float]:
    """Coefficients of the harmonics for pairs up to a height h/L apart.

    Returns
    -------
    coefficients : tuple of HARMONICS floats
    error : float
        Root-mean-square error of a component of the pair force, in units of k_BT l_B z_i z_j/L².
    """
    sample = np.random.default_rng(20).random((3000, 3)) - 0.5
    # two ions anywhere in the slit: the difference of two uniform heights
    heights = np.random.default_rng(21).random((2, len(sample)))
    sample[:, 2] = width_to_box * (heights[0] - heights[1])
    _, force = image_correction(sample)
    basis = harmonic_force(sample).reshape(-1, HARMONICS)
    coefficients, *_ = np.linalg.lstsq(basis, force.ravel(), rcond=None)
    error = np.sqrt(np.mean((basis @ coefficients - force.ravel()) ** 2))
    return tuple(coefficients.tolist()), float(error)
