"""Coulomb interaction of ions that repeat periodically in x and y but not in z.

The exact interaction of a pair is the minimum-image 1/r plus a correction due to all other images.
Those lie outside the cell, so inside it the correction is harmonic; it is even in x, y and z and
symmetric under x ↔ y. A few solid harmonics r^l P_l^m(z/r) cos mφ (l even, m = 0, 4, 8, …)
therefore replace the two-dimensional Ewald sum for every pair, to any wanted accuracy.

Everything here is in units of the box side L: distances of L, pair energies of k_BT l_B z_i z_j/L,
pair forces of k_BT l_B z_i z_j/L².
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial import Legendre, Polynomial
from scipy.special import erf, erfc

DEGREE = 10
"""Highest degree l of the fitted harmonics."""

HARMONICS = tuple((l, m) for l in range(2, DEGREE + 1, 2) for m in range(0, l + 1, 4))
"""Degree and order (l, m) of each of them."""


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


def harmonic_polynomials() -> np.ndarray:
    """The harmonics as polynomials in u = x² + y², w = z² and v = Re (x + iy)⁴.

    Returns
    -------
    ndarray, shape (len(HARMONICS), DEGREE/2 + 1, DEGREE/2 + 1, 3)
        Coefficient of u^a w^b v^k of each harmonic.
    """
    size = DEGREE // 2 + 1
    result = np.zeros((len(HARMONICS), size, size, 3))
    for harmonic, (degree, order) in zip(result, HARMONICS, strict=True):
        # r^l P_l^m(z/r) without its factor (x² + y²)^(m/2): a sum over z^2b (u + w)^n
        factors = Legendre.basis(degree).deriv(order).convert(kind=Polynomial).coef[::2]
        even = np.zeros((size, size))
        for power, factor in enumerate(factors):
            n = len(factors) - 1 - power
            for a in range(n + 1):
                even[a, power + n - a] += factor * math.comb(n, a)
        if order == 0:
            harmonic[:, :, 0] = even
        elif order == 4:
            harmonic[:, :, 1] = even
        else:  # Re (x + iy)⁸ = 2 v² − u⁴
            harmonic[:, :, 2] = 2 * even
            harmonic[4:, :, 0] = -even[:-4]
    return result


def gradient_polynomials(polynomial: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Derivatives by u, w and v of a polynomial in them; shapes (..., a, b, k) as given."""
    derivatives = []
    for axis in (-3, -2, -1):
        powers = np.arange(polynomial.shape[axis]).reshape([-1] + [1] * (-axis - 1))
        derivatives.append(np.roll(powers * polynomial, -1, axis=axis))
    by_u, by_w, by_v = derivatives
    return by_u, by_w, by_v


def _values(polynomial: np.ndarray, displacements: np.ndarray) -> np.ndarray:
    """A polynomial, shape (..., a, b, k), at each displacement; shape (..., n)."""
    x, y, z = displacements.T
    u, w, v = x * x + y * y, z * z, (x * x - y * y) ** 2 - (2 * x * y) ** 2
    powers = [
        np.vander(t, polynomial.shape[i - 3], increasing=True) for i, t in enumerate((u, w, v))
    ]
    return np.einsum("...abk,na,nb,nk->...n", polynomial, *powers, optimize=True)


def polynomial_energy(polynomial: np.ndarray, displacements: np.ndarray) -> np.ndarray:
    """Energy of each pair, shape (..., n), from a polynomial of shape (..., a, b, k)."""
    return _values(polynomial, np.asarray(displacements, dtype=float))


def polynomial_force(polynomial: np.ndarray, displacements: np.ndarray) -> np.ndarray:
    """Minus the gradient of `polynomial_energy`, shape (..., n, 3)."""
    displacements = np.asarray(displacements, dtype=float)
    x, y, z = displacements.T
    by_u, by_w, by_v = (_values(p, displacements) for p in gradient_polynomials(polynomial))
    force_x = -x * (2 * by_u + 4 * (x * x - 3 * y * y) * by_v)
    force_y = -y * (2 * by_u + 4 * (y * y - 3 * x * x) * by_v)
    return np.stack([force_x, force_y, -2 * z * by_w], axis=-1)


@dataclass(frozen=True)
class ImageCorrection:
    """The fitted correction for all images beyond the nearest.

    Attributes
    ----------
    polynomial : ndarray
        Its energy as coefficients of u^a w^b v^k (see `harmonic_polynomials`).
    error : float
        Root-mean-square error of a component of the pair force, in units of k_BT l_B z_i z_j/L².
    """

    polynomial: np.ndarray
    error: float


@lru_cache(maxsize=64)
def fit_correction(width_to_box: float) -> ImageCorrection:
    """Fit the correction for pairs of ions in a slit whose width is a fraction h/L of the box."""
    sample = np.random.default_rng(20).random((3000, 3)) - 0.5
    # two ions anywhere in the slit: the difference of two uniform heights
    heights = np.random.default_rng(21).random((2, len(sample)))
    sample[:, 2] = width_to_box * (heights[0] - heights[1])
    _, force = image_correction(sample)
    harmonics = harmonic_polynomials()
    basis = polynomial_force(harmonics, sample).reshape(len(harmonics), -1).T
    coefficients, *_ = np.linalg.lstsq(basis, force.ravel(), rcond=None)
    error = np.sqrt(np.mean((basis @ coefficients - force.ravel()) ** 2))
    return ImageCorrection(np.tensordot(coefficients, harmonics, axes=1), float(error))
