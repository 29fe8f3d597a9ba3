"""Distributions of uncertain inputs, samples and Sobol indices.

Samples follow Saltelli's scheme on a scrambled Sobol sequence (A. Saltelli et al., Comput. Phys.
Commun. 181, 259, 2010). Sobol indices attribute the variance of an output to the inputs. Samples,
estimators and bootstrap are those of SALib (T. Iwanaga, W. Usher, J. Herman, Socio-Environ. Syst.
Modell. 4, 18155, 2022), and the tests compare them with it. SciPy's statistics take a second to
import and are imported on first use.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from backend.inputs import InvalidInput, Range
from nanoconf.surrogate.domain import TOLERANCE, TRAINING_RANGE

REACH = 3.0
"""Number of standard deviations of a Gaussian that must lie in the training range (99.7 %)."""

RESAMPLES = 100
"""Bootstrap samples for the 95 % confidence intervals of Sobol indices."""

NORMAL_95 = 1.959963984540054
"""Half width of the central 95 % of a normal distribution, in standard deviations."""

CONSTANT = 1e-9
"""An output is constant if its standard deviation is below this share of its largest value."""


# --- uncertain inputs -----------------------------------------------------------------------


@dataclass(frozen=True)
class Uniform:
    """Uniform distribution between two bounds."""

    low: float
    high: float

    @property
    def mean(self) -> float:
        """Mean of the distribution."""
        return (self.low + self.high) / 2

    def check(self, name: str, limits: Range) -> None:
        """Raise `InvalidInput` if the bounds are invalid or outside the training range."""
        if not self.low < self.high:
            raise InvalidInput(name, str(self), "the first bound must be less than the second")
        _check_range(name, self, "both bounds", (self.low, self.high), limits)

    def share_outside(self, limits: Range) -> float:
        """Return the share of the values outside the training range, which is 0."""
        return 0.0

    def quantiles(self, shares: np.ndarray, limits: Range) -> np.ndarray:
        """Return the values below which these shares of the distribution lie."""
        return self.low + (self.high - self.low) * shares

    def __str__(self) -> str:
        return f"uniform({self.low:g}, {self.high:g})"


@dataclass(frozen=True)
class Gaussian:
    """Normal distribution, truncated to the training range."""

    mean: float
    std: float

    def check(self, name: str, limits: Range) -> None:
        """Raise `InvalidInput` if the Gaussian is invalid or extends beyond the training range."""
        if not self.std > 0:
            raise InvalidInput(name, str(self), "the standard deviation must be positive")
        reach = (self.mean - REACH * self.std, self.mean + REACH * self.std)
        _check_range(name, self, f"mean ± {REACH:g} standard deviations", reach, limits)

    def share_outside(self, limits: Range) -> float:
        """Return the share of the values outside the training range, which is cut off."""
        bounds = ((limits.low - self.mean) / self.std, (self.mean - limits.high) / self.std)
        return sum(math.erfc(-bound / math.sqrt(2)) / 2 for bound in bounds)

    def quantiles(self, shares: np.ndarray, limits: Range) -> np.ndarray:
        """Return the values below which these shares of the truncated distribution lie."""
        from scipy.stats import truncnorm

        low, high = ((limit - self.mean) / self.std for limit in (limits.low, limits.high))
        return truncnorm.ppf(shares, low, high, loc=self.mean, scale=self.std)

    def __str__(self) -> str:
        return f"gaussian({self.mean:g}, {self.std:g})"


Distribution = Uniform | Gaussian


def _check_range(
    name: str, value: Distribution, what: str, reach: tuple[float, float], limits: Range
) -> None:
    slack = TOLERANCE * max(abs(limits.low), abs(limits.high))
    if not (limits.low - slack <= reach[0] and reach[1] <= limits.high + slack):
        raise InvalidInput(name, str(value), f"{what} {limits}, {TRAINING_RANGE}")


def saltelli_samples(
    distributions: Mapping[str, Distribution],
    limits: Mapping[str, Range],
    samples: int,
    seed: int,
) -> np.ndarray:
    """Sample the uncertain inputs by Saltelli's scheme.

    Parameters
    ----------
    distributions : mapping of str to Uniform or Gaussian
        D uncertain inputs.
    limits : mapping of str to Range
        Ranges to which Gaussians are truncated.
    samples : int
        N, a power of 2.
    seed : int
        Seed of the scrambling.

    Returns
    -------
    ndarray, shape (N, D + 2, D)
        The first and the last row of each sample come from independent Sobol sequences. Row j + 1
        is the first row with input j taken from the last row.
    """
    count = len(distributions)
    if not count:
        return np.empty((samples, 2, 0))
    from scipy.stats import qmc

    shares = qmc.Sobol(2 * count, scramble=True, seed=seed).random(samples)
    first, last = shares[:, :count], shares[:, count:]
    rows = np.repeat(first[:, np.newaxis], count + 2, axis=1)
    for j in range(count):
        rows[:, j + 1, j] = last[:, j]
    rows[:, -1] = last
    for j, (name, distribution) in enumerate(distributions.items()):
        rows[..., j] = distribution.quantiles(rows[..., j], limits[name])
    return rows


# --- Sobol indices --------------------------------------------------------------------------


@dataclass(frozen=True)
class SobolIndices:
    """Sobol indices of an output: shares of its variance by input; nan if it does not vary.

    Attributes
    ----------
    inputs : tuple of str
        Names of the D inputs.
    first, total : ndarray, shape (D,) or (D, points)
        Share of the variance due to an input alone (first-order index), and including all its
        interactions with other inputs (total index).
    first_confidence, total_confidence : ndarray, of the same shape
        Half widths of the 95 % confidence intervals; nan if they were not computed.
    """

    inputs: tuple[str, ...]
    first: np.ndarray
    first_confidence: np.ndarray
    total: np.ndarray
    total_confidence: np.ndarray

    @classmethod
    def none(cls, inputs: Sequence[str], points: tuple[int, ...]) -> Self:
        """Return the indices (nan) of an output that does not vary."""
        return cls(tuple(inputs), *(np.full((len(inputs), *points), np.nan) for _ in range(4)))


def sobol_indices(values: np.ndarray, inputs: Sequence[str], seed: int = 1) -> SobolIndices:
    """Compute first-order and total indices of one output, with confidence intervals.

    Parameters
    ----------
    values : ndarray, shape (N, D + 2)
        The output for each row of `saltelli_samples`.
    inputs : sequence of str
        Names of the D inputs.
    seed : int
        Seed of the bootstrap.
    """
    if not inputs or not _varies(values):
        return SobolIndices.none(inputs, ())
    normed = (values - values.mean()) / values.std()
    draws = np.random.default_rng(seed + 1).integers(len(values), size=(len(values), RESAMPLES))
    indices = SobolIndices.none(inputs, ())
    for j in range(len(inputs)):
        triple = normed[:, 0], normed[:, j + 1], normed[:, -1]
        indices.first[j], indices.total[j] = first_order(*triple), total_order(*triple)
        resampled = [column[draws] for column in triple]
        indices.first_confidence[j] = NORMAL_95 * first_order(*resampled).std(ddof=1)
        indices.total_confidence[j] = NORMAL_95 * total_order(*resampled).std(ddof=1)
    return indices


def sobol_indices_of_points(values: np.ndarray, inputs: Sequence[str]) -> SobolIndices:
    """Compute first-order and total indices at many points, without confidence intervals.

    Parameters
    ----------
    values : ndarray, shape (N, D + 2, points)
        The output for each row of `saltelli_samples`.
    inputs : sequence of str
        Names of the D inputs.
    """
    indices = SobolIndices.none(inputs, values.shape[2:])
    varies = _varies(values)
    if not inputs or not varies.any():
        return indices
    chosen = values[..., varies]
    chosen = (chosen - chosen.mean(axis=(0, 1))) / chosen.std(axis=(0, 1))
    for j in range(len(inputs)):
        triple = chosen[:, 0], chosen[:, j + 1], chosen[:, -1]
        indices.first[j, varies] = first_order(*triple)
        indices.total[j, varies] = total_order(*triple)
    return indices


def first_order(first: np.ndarray, mixed: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Estimate the first-order index of one input (Saltelli et al., Table 2, b).

    The estimate is biased if the mean of the output is far from zero.

    Parameters
    ----------
    first, mixed, last : ndarray, shape (N, ...)
        The output for the first row of each sample, for the row with this input taken from the last
        row, and for the last row.
    """
    return np.mean(last * (mixed - first), axis=0) / np.concatenate([first, last]).var(axis=0)


def total_order(first: np.ndarray, mixed: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Estimate the total index of one input (Saltelli et al., Table 2, f), as `first_order`."""
    return np.mean((first - mixed) ** 2, axis=0) / 2 / np.concatenate([first, last]).var(axis=0)


def _varies(values: np.ndarray) -> np.ndarray:
    """Return True at each point where the output varies."""
    return values.std(axis=(0, 1)) > CONSTANT * np.abs(values).max()
