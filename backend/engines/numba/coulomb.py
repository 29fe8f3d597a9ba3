"""Coulomb forces on all ions: compiled loops over pairs and over plane waves.

`electrostatics.splitting` defines the terms of the sums. Positions and forces are in units of the
box side, as in that module.

LLVM turns a loop into SIMD code only if it can prove that the arrays do not overlap. Therefore all
data of the loop over pairs are in ONE flat array, in rows at offsets that are compile-time
constants, with unsigned indices. Each pair is visited once, in three passes over the partners of
an ion: a processor executes short chains of dependent operations faster than long ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit

from backend.electrostatics import LATERAL_WAVES, NORMAL_WAVES, Splitting
from backend.engines.numba.compiled import FAST
from backend.inputs import MAXIMUM_IONS

LANES = 8
"""The ions are padded to a multiple of this number with uncharged ghost ions."""

CACHE_LINE = 64
"""Size of a cache line (bytes)."""

# Whole cache lines, and 640 bytes (in single precision) more than a power of two: with equal low
# address bits, loads would wait for unrelated stores.
STRIDE = MAXIMUM_IONS + 160
X, Y, Z, CHARGE, FIELD_X, FIELD_Y, FIELD_Z = (np.uint64(row * STRIDE) for row in range(7))
FIRST_SHARED = 7
"""First row that both loops use in turn, which keeps more of the buffer in the cache."""
DX, DY, STRENGTH = (np.uint64((FIRST_SHARED + row) * STRIDE) for row in range(3))
ZERO, ONE, LAST_LANE = np.uint64(0), np.uint64(1), np.uint64(LANES - 1)
UNIT = np.float32(1)
"""Compile-time constant that does not promote float32 to float64."""

GHOST_Z = 0.49
"""Position z of the ghost ions, outside the slit."""

ORDERS = int(LATERAL_WAVES**0.5)
LATERAL, NORMAL = 2 * ORDERS + 1, 2 * NORMAL_WAVES + 1
"""Numbers of functions of x or y, and of z: 1, cos, sin, cos 2·, sin 2·, …"""

LENGTH, TWICE = np.uint64(STRIDE), np.uint64(2 * STRIDE)
OF_X, OF_Y, OF_Z = (np.uint64((FIRST_SHARED + i * LATERAL) * STRIDE) for i in range(3))
"""Offsets in the buffer of the rows of these functions."""


class Coulomb(NamedTuple):
    """Constants of the loops, in the precision of the pair forces.

    Attributes
    ----------
    zero : float
    short, short_range2 : tuple of floats, float
        Coefficients and squared range of the short-ranged part, as in `Splitting`.
    waves : ndarray, shape (ORDERS + 1, ORDERS + 1, NORMAL_WAVES + 1)
        Coefficients of the waves, as in `Splitting`.
    inverse_height : float
        1/H.
    normal_numbers : ndarray, shape (NORMAL_WAVES + 1,)
        Wave numbers along z.
    slopes : ndarray, shape (LATERAL,)
        The derivative of each function of x or y is this factor times its partner: the partner of
        cos is sin, with a negative factor.
    cosine, sine : tuple of floats
        Coefficients of cos 2πt and sin 2πt / t as polynomials in t².
    """

    zero: np.floating
    short: tuple
    short_range2: np.floating
    waves: np.ndarray
    inverse_height: np.floating
    normal_numbers: np.ndarray
    slopes: np.ndarray
    cosine: tuple
    sine: tuple

    @classmethod
    def of(cls, splitting: Splitting, dtype: type) -> Coulomb:
        """Return the constants of a splitting, as float32 or float64."""
        waves: np.ndarray = np.zeros((ORDERS + 1, ORDERS + 1, NORMAL_WAVES + 1), dtype)
        a, b, m = splitting.waves.shape
        waves[:a, :b, :m] = splitting.waves
        orders = np.repeat(np.arange(ORDERS + 1), 2)[1:]
        signs = np.where(np.arange(LATERAL) % 2, -1, 1)
        return cls(
            zero=dtype(0),
            short=tuple(dtype(factor) for factor in splitting.short),
            short_range2=dtype(splitting.short_range**2),
            waves=waves,
            inverse_height=dtype(1 / splitting.height),
            normal_numbers=(2 * np.pi * np.arange(NORMAL_WAVES + 1) / splitting.height).astype(
                dtype
            ),
            slopes=(2 * np.pi * signs * orders).astype(dtype),
            cosine=_power_series(lambda t: np.cos(2 * np.pi * t), dtype),
            sine=_power_series(lambda t: np.sin(2 * np.pi * t) / t, dtype),
        )


def _power_series(function: Callable[[np.ndarray], np.ndarray], dtype: type) -> tuple:
    """Return polynomial coefficients in t² of an even function for |t| ≤ 1/2, to ten digits."""
    t = np.sin(np.linspace(1e-3, np.pi / 2, 400)) / 2
    fit = np.polynomial.Chebyshev.fit(t * t, function(t), 7)
    return tuple(dtype(factor) for factor in fit.convert(kind=np.polynomial.Polynomial).coef)


def coulomb_buffer(valency: np.ndarray, dtype: type) -> np.ndarray:
    """Return the flat array for the loops, with charges and ghosts filled in."""
    buffer = _aligned_zeros((FIRST_SHARED + 2 * LATERAL + NORMAL) * STRIDE, dtype)
    charges = buffer[int(CHARGE) :]
    charges[: len(valency)] = valency
    buffer[int(Z) + len(valency) : int(Z) + STRIDE] = GHOST_Z
    return buffer


def _aligned_zeros(size: int, dtype: type) -> np.ndarray:
    """Return zeros aligned to a cache line; without alignment, the loops take a fifth longer."""
    item = np.dtype(dtype).itemsize
    zeros: np.ndarray = np.zeros(size + CACHE_LINE // item, dtype)
    first = -zeros.ctypes.data % CACHE_LINE // item
    return zeros[first : first + size]


@njit(**FAST)
def coulomb_forces(positions, field, buffer, forces):  # pragma: no cover - compiled
    """Write the Coulomb forces (k_BT/nm) at positions (nm) to `forces`; shapes (3, ions)."""
    fill_buffer(positions, field, buffer)
    count = positions.shape[1]
    pair_loop(buffer, np.uint64(count), field.coulomb)
    wave_loop(buffer, np.uint64(count), field.coulomb)
    for k in range(count):
        i = np.uint64(k)
        scale = field.coulomb_scale * field.valency[k]
        forces[0, k] = scale * buffer[FIELD_X + i]
        forces[1, k] = scale * buffer[FIELD_Y + i]
        forces[2, k] = scale * buffer[FIELD_Z + i]


@njit(**FAST)
def fill_buffer(positions, field, buffer):  # pragma: no cover - compiled
    """Write the reduced positions to the buffer and set its electric field to zero."""
    inverse = 1.0 / field.box_length
    for k in range(positions.shape[1]):
        i = np.uint64(k)
        x = positions[0, k] * inverse
        y = positions[1, k] * inverse
        buffer[X + i] = x - np.rint(x)
        buffer[Y + i] = y - np.rint(y)
        buffer[Z + i] = positions[2, k] * inverse
        buffer[FIELD_X + i] = field.coulomb.zero
        buffer[FIELD_Y + i] = field.coulomb.zero
        buffer[FIELD_Z + i] = field.coulomb.zero


@njit(**FAST)
def pair_loop(buffer, count, c):  # pragma: no cover - compiled
    """Add the short-ranged field of nearest images to the field in the buffer."""
    end = (count + LAST_LANE) & ~LAST_LANE
    for i in range(ZERO, count):
        first = (i + ONE) & ~LAST_LANE
        x, y, z = buffer[X + i], buffer[Y + i], buffer[Z + i]
        for j in range(first, end):
            dx = x - buffer[X + j]
            dy = y - buffer[Y + j]
            dz = z - buffer[Z + j]
            dx -= np.rint(dx)
            dy -= np.rint(dy)
            buffer[DX + j] = dx
            buffer[DY + j] = dy
            buffer[STRENGTH + j] = dx * dx + dy * dy + dz * dz
        for j in range(first, end):
            buffer[STRENGTH + j] = short_strength(buffer[STRENGTH + j], c)
        # the ion itself, and ions with lower indices
        for j in range(first, i + ONE):
            buffer[STRENGTH + j] = c.zero
        charge = buffer[CHARGE + i]
        field_x, field_y, field_z = c.zero, c.zero, c.zero
        for j in range(first, end):
            strength = buffer[STRENGTH + j]
            theirs, ours = strength * buffer[CHARGE + j], strength * charge
            dx, dy, dz = buffer[DX + j], buffer[DY + j], z - buffer[Z + j]
            field_x += theirs * dx
            field_y += theirs * dy
            field_z += theirs * dz
            buffer[FIELD_X + j] -= ours * dx
            buffer[FIELD_Y + j] -= ours * dy
            buffer[FIELD_Z + j] -= ours * dz
        buffer[FIELD_X + i] += field_x
        buffer[FIELD_Y + i] += field_y
        buffer[FIELD_Z + i] += field_z


@njit(**FAST)
def short_strength(r2, c):  # pragma: no cover - compiled
    """Return 1/r³ − Q(r²); zero at the short range and beyond."""
    r2 = min(r2, c.short_range2)
    inverse = UNIT / np.sqrt(r2)
    s = c.short
    return inverse * inverse * inverse - (
        s[0] + r2 * (s[1] + r2 * (s[2] + r2 * (s[3] + r2 * s[4])))
    )


@njit(**FAST)
def wave_loop(buffer, count, c):  # pragma: no cover - compiled
    """Add the field of all plane waves to the field in the buffer.

    The cosine of a difference is a sum of products, so the sum over the partners of an ion reduces
    to a few sums over all ions, which are the same for every ion.
    """
    fill_functions(buffer, X, UNIT, OF_X, LATERAL, count, c)
    fill_functions(buffer, Y, UNIT, OF_Y, LATERAL, count, c)
    fill_functions(buffer, Z, c.inverse_height, OF_Z, NORMAL, count, c)
    for a in range(LATERAL):
        for b in range(LATERAL):
            weights = c.waves[(a + 1) // 2, (b + 1) // 2]
            if weights[0] != 0 or weights[1] != 0:
                add_waves(buffer, count, a, b, weights, c)


@njit(**FAST)
def fill_functions(buffer, row, scale, first, many, count, c):  # pragma: no cover - compiled
    """Fill rows with 1, cos 2πt, sin 2πt, cos 4πt, … of the scaled coordinate in another row."""
    cosine, sine = first + LENGTH, first + TWICE
    for i in range(ZERO, count):
        t = scale * buffer[row + i]
        buffer[first + i] = UNIT
        buffer[cosine + i] = polynomial(t * t, c.cosine)
        buffer[sine + i] = t * polynomial(t * t, c.sine)
    for n in range(3, many, 2):
        this = first + np.uint64(n) * LENGTH
        for i in range(ZERO, count):
            last_cosine, last_sine = buffer[this - TWICE + i], buffer[this - LENGTH + i]
            buffer[this + i] = last_cosine * buffer[cosine + i] - last_sine * buffer[sine + i]
            buffer[this + LENGTH + i] = (
                last_sine * buffer[cosine + i] + last_cosine * buffer[sine + i]
            )


@njit(**FAST)
def polynomial(t, c):  # pragma: no cover - compiled
    """Return the value of a polynomial of degree 7."""
    high = c[4] + t * (c[5] + t * (c[6] + t * c[7]))
    return c[0] + t * (c[1] + t * (c[2] + t * (c[3] + t * high)))


@njit(**FAST)
def along_z(buffer, i):  # pragma: no cover - compiled
    """Return the functions of z of an ion, without the first, which is 1."""
    return (
        buffer[OF_Z + LENGTH + i],
        buffer[OF_Z + TWICE + i],
        buffer[OF_Z + np.uint64(3) * LENGTH + i],
        buffer[OF_Z + np.uint64(4) * LENGTH + i],
        buffer[OF_Z + np.uint64(5) * LENGTH + i],
        buffer[OF_Z + np.uint64(6) * LENGTH + i],
        buffer[OF_Z + np.uint64(7) * LENGTH + i],
        buffer[OF_Z + np.uint64(8) * LENGTH + i],
    )


@njit(**FAST)
def product(f, g):  # pragma: no cover - compiled
    """Return the scalar product of two vectors of eight components."""
    low = f[0] * g[0] + f[1] * g[1] + f[2] * g[2] + f[3] * g[3]
    return low + f[4] * g[4] + f[5] * g[5] + f[6] * g[6] + f[7] * g[7]


@njit(**FAST)
def add_waves(buffer, count, a, b, weights, c):  # pragma: no cover - compiled
    """Add the field of all waves that depend on x as function a and on y as function b."""
    x, slope_x = OF_X + np.uint64(a) * LENGTH, OF_X + np.uint64(partner(a)) * LENGTH
    y, slope_y = OF_Y + np.uint64(b) * LENGTH, OF_Y + np.uint64(partner(b)) * LENGTH
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = c.zero
    for i in range(ZERO, count):
        source = buffer[CHARGE + i] * buffer[x + i] * buffer[y + i]
        z = along_z(buffer, i)
        s0 += source
        s1 += source * z[0]
        s2 += source * z[1]
        s3 += source * z[2]
        s4 += source * z[3]
        s5 += source * z[4]
        s6 += source * z[5]
        s7 += source * z[6]
        s8 += source * z[7]
    s0, s1, s2 = weights[0] * s0, weights[1] * s1, weights[1] * s2
    s3, s4, s5, s6 = weights[2] * s3, weights[2] * s4, weights[3] * s5, weights[3] * s6
    s7, s8 = weights[4] * s7, weights[4] * s8
    values = (s1, s2, s3, s4, s5, s6, s7, s8)
    k = c.normal_numbers
    slopes = (
        k[1] * s2,
        -k[1] * s1,
        k[2] * s4,
        -k[2] * s3,
        k[3] * s6,
        -k[3] * s5,
        k[4] * s8,
        -k[4] * s7,
    )
    factor_x, factor_y = c.slopes[a], c.slopes[b]
    for i in range(ZERO, count):
        z = along_z(buffer, i)
        value = s0 + product(values, z)
        buffer[FIELD_X + i] -= factor_x * value * buffer[slope_x + i] * buffer[y + i]
        buffer[FIELD_Y + i] -= factor_y * value * buffer[slope_y + i] * buffer[x + i]
        buffer[FIELD_Z + i] -= buffer[x + i] * buffer[y + i] * product(slopes, z)


@njit(**FAST)
def partner(a):  # pragma: no cover - compiled
    """Return the function that is proportional to the derivative of function a."""
    if a == 0:
        return 0
    return a + 1 if a % 2 else a - 1
