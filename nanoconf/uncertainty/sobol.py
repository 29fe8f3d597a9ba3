"""Uncertain inputs, samples of them, and the Sobol indices of what they lead to.

Samples follow Saltelli's scheme on a scrambled Sobol sequence; Sobol indices share out the variance
of an output among the inputs. Both are SALib's (A. Saltelli et al., Comput. Phys. Commun. 181, 259,
2010; T. Iwanaga, W. Usher, J. Herman, Socio-Environ. Syst. Modell. 4, 18155, 2022), which takes a
second to load and is loaded when it is needed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from backend.inputs import InvalidInput, Range
from nanoconf.surrogate.domain import TOLERANCE

REACH = 3.0
"""So many standard deviations of a Gaussian must lie in the learnt range: 99.7 % of it."""

RESAMPLES = 100
"""Bootstrap samples for the confidence intervals (95 %) of Sobol indices: SALib's own number."""

CONSTANT = 1e-9
"""An output whose standard deviation is below this share of its size does not vary."""


# --- uncertain inputs -----------------------------------------------------------------------


@dataclass(frozen=True)
class Uniform:
    """Any value between two bounds, all equally likely."""

    low: float
    high: float

    @property
    def mean(self) -> float:
        """The middle of the bounds."""
        return (self.low + self.high) / 2

    def check(self, name: str, learnt: Range) -> None:
        """Refuse bounds that are none, or outside what the model has learnt."""
        if not self.low < self.high:
            raise InvalidInput(name, str(self), "the first bound must be less than the second")
        _check_learnt(name, self, "both bounds", (self.low, self.high), learnt)

    def share_outside(self, learnt: Range) -> float:
        """Share of the values beyond the learnt range: none."""
        return 0.0

    def salib(self, learnt: Range) -> tuple[str, list[float]]:
        """Name and parameters of the distribution in SALib's words."""
        return "unif", [self.low, self.high]

    def __str__(self) -> str:
        return f"uniform({self.low:g}, {self.high:g})"


@dataclass(frozen=True)
class Gaussian:
    """Normally distributed; what little lies beyond the learnt range is cut off."""

    mean: float
    std: float

    def check(self, name: str, learnt: Range) -> None:
        """Refuse a Gaussian that is none, or that leaves what the model has learnt."""
        if not self.std > 0:
            raise InvalidInput(name, str(self), "the standard deviation must be positive")
        reach = (self.mean - REACH * self.std, self.mean + REACH * self.std)
        _check_learnt(name, self, f"mean ± {REACH:g} standard deviations", reach, learnt)

    def share_outside(self, learnt: Range) -> float:
        """Share of the values beyond the learnt range, which is cut off."""
        bounds = ((learnt.low - self.mean) / self.std, (self.mean - learnt.high) / self.std)
        return sum(math.erfc(-bound / math.sqrt(2)) / 2 for bound in bounds)

    def salib(self, learnt: Range) -> tuple[str, list[float]]:
        """Name and parameters of the distribution in SALib's words."""
        return "truncnorm", [learnt.low, learnt.high, self.mean, self.std]

    def __str__(self) -> str:
        return f"gaussian({self.mean:g}, {self.std:g})"


Distribution = Uniform | Gaussian


def _check_learnt(
    name: str, value: Distribution, what: str, reach: tuple[float, float], learnt: Range
) -> None:
    slack = TOLERANCE * max(abs(learnt.low), abs(learnt.high))
    if not (learnt.low - slack <= reach[0] and reach[1] <= learnt.high + slack):
        allowed = f"{what} {learnt}, the range that the surrogate has learnt"
        raise InvalidInput(name, str(value), allowed)


def saltelli_samples(
    distributions: Mapping[str, Distribution],
    limits: Mapping[str, Range],
    samples: int,
    seed: int,
) -> np.ndarray:
    """Inputs to try, after Saltelli's scheme.

    Parameters
    ----------
    distributions : mapping of str to Uniform or Gaussian
        D uncertain inputs.
    limits : mapping of str to Range
        Where Gaussian ones are cut off.
    samples : int
        N, a power of 2.
    seed : int
        Seed of the scrambling.

    Returns
    -------
    ndarray, shape (N, D + 2, D)
        Row 0 of each sample is from one Sobol sequence, the last from another; row j + 1 is row 0
        with input j from the last.
    """
    count = len(distributions)
    if not count:
        return np.empty((samples, 2, 0))
    from SALib.sample import sobol

    kinds = [distributions[name].salib(limits[name]) for name in distributions]
    problem = {
        "num_vars": count,
        "names": list(distributions),
        "dists": [kind for kind, _ in kinds],
        "bounds": [bounds for _, bounds in kinds],
    }
    rows = sobol.sample(problem, samples, calc_second_order=False, seed=seed)
    return rows.reshape(samples, count + 2, count)


# --- Sobol indices --------------------------------------------------------------------------


@dataclass(frozen=True)
class SobolIndices:
    """How much of an output's variance is due to which input; nan where it does not vary.

    Attributes
    ----------
    inputs : tuple of str
        Names of the D inputs.
    first, total : ndarray, shape (D,) or (D, points)
        Share of the variance that an input causes alone, and with all that it does together with
        others.
    first_confidence, total_confidence : ndarray, of the same shape
        Half widths of the 95 % confidence intervals; nan where they were not asked for.
    """

    inputs: tuple[str, ...]
    first: np.ndarray
    first_confidence: np.ndarray
    total: np.ndarray
    total_confidence: np.ndarray

    @classmethod
    def none(cls, inputs: Sequence[str], points: tuple[int, ...]) -> Self:
        """Those of an output that does not vary."""
        return cls(tuple(inputs), *(np.full((len(inputs), *points), np.nan) for _ in range(4)))


def sobol_indices(values: np.ndarray, inputs: Sequence[str], seed: int = 1) -> SobolIndices:
    """First-order and total indices of one output, with confidence intervals.

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
    from SALib.analyze import sobol

    problem = {"num_vars": len(inputs), "names": list(inputs)}
    found = sobol.analyze(
        problem,
        values.ravel(),
        calc_second_order=False,
        num_resamples=RESAMPLES,
        seed=seed + 1,  # SALib takes 0 for no seed
    )
    return SobolIndices(tuple(inputs), *(found[x] for x in ("S1", "S1_conf", "ST", "ST_conf")))


def sobol_indices_of_points(values: np.ndarray, inputs: Sequence[str]) -> SobolIndices:
    """First-order and total indices of an output at many points at once, without confidence.

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
    from SALib.analyze.sobol import first_order, total_order

    chosen = values[..., varies]
    # as SALib's `analyze` does: its estimators are biased where the mean is far from zero
    chosen = (chosen - chosen.mean(axis=(0, 1))) / chosen.std(axis=(0, 1))
    for j in range(len(inputs)):
        triple = chosen[:, 0], chosen[:, j + 1], chosen[:, -1]
        indices.first[j, varies] = first_order(*triple)
        indices.total[j, varies] = total_order(*triple)
    return indices


def _varies(values: np.ndarray) -> np.ndarray:
    """Whether an output varies at all, at each point."""
    return values.std(axis=(0, 1)) > CONSTANT * np.abs(values).max()
