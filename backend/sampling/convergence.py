"""Convergence of a simulation: the criteria, those not met, and the additional time needed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from backend.profiles.density import SlitProfiles
from backend.sampling import estimators
from backend.sampling.equilibration import SLOW
from backend.sampling.estimators import block_mean
from backend.sampling.samples import SERIES, Samples
from backend.sampling.schedule import BLOCKS_PER_REPLICA
from backend.sampling.summary import Convergence

TARGET_ERROR = 0.005
"""Default target for the median relative error of a converged run."""

TIMES_PER_BLOCK = 5.0
"""Minimum length of a block in autocorrelation times."""

EQUILIBRATION_TIMES = 10.0
"""Minimum length of the equilibration in autocorrelation times of the samples that follow it."""

AGREEMENT = 3.0
"""Largest difference between halves, in standard errors."""


@dataclass(frozen=True)
class Verdict:
    """Outcome of the convergence criteria.

    Attributes
    ----------
    median_relative_error, target_error : float
        Median relative error of the profile of the worse species, and its target.
    autocorrelation_time, block_length : float
        Autocorrelation time of the slowest series and length of a block (rows of the series).
    differences : dict
        Differences that should be zero, in standard errors.
    reasons : tuple of str
        Criteria that are not met; empty for a converged run.
    """

    median_relative_error: float
    target_error: float
    autocorrelation_time: float
    block_length: float
    differences: dict[str, float] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()

    @property
    def converged(self) -> bool:
        """True if all criteria are met."""
        return not self.reasons

    @property
    def times_longer(self) -> float:
        """Factor by which the run must be extended to reach the target; errors fall as 1/√time."""
        return max(1.0, (self.median_relative_error / self.target_error) ** 2)

    def convergence(self) -> Convergence:
        """Return the verdict as a section of the summary."""
        return Convergence(
            converged=self.converged,
            median_relative_error=self.median_relative_error,
            target_error=self.target_error,
            reasons=list(self.reasons),
            times_longer=self.times_longer,
            differences_in_standard_errors=self.differences,
        )


def evaluate(
    samples: Samples,
    profiles: SlitProfiles,
    series: list[np.ndarray],
    target_error: float | None,
    equilibration_rows: int | None = None,
) -> Verdict:
    """Evaluate the convergence of a run.

    Parameters
    ----------
    samples, profiles
        Blocks of the run, and the profiles computed from them.
    series : list of ndarray, each of shape (rows, len(SERIES))
        Time series of each replica.
    target_error : float or None
        Target for the median relative error; `TARGET_ERROR` if None.
    equilibration_rows : int or None
        Length of the equilibration (rows of the series); None if it is not to be evaluated.
    """
    target = TARGET_ERROR if target_error is None else target_error
    error = estimators.median_relative_error(profiles)
    slowest = max(
        estimators.autocorrelation_rows(each[:, SERIES.index(name)])
        for each in series
        for name in SLOW
    )
    rows = sum(len(each) for each in series)
    length = rows / samples.blocks
    differences = _differences(series)
    reasons = []
    if error > target:
        reasons.append(f"the median error is {error:.2%}, above {target:.2%}")
    if rows < TIMES_PER_BLOCK * slowest * BLOCKS_PER_REPLICA:
        reasons.append(f"the run spans only {rows / slowest:.0f} autocorrelation times")
    if equilibration_rows is not None and equilibration_rows < EQUILIBRATION_TIMES * slowest:
        times = equilibration_rows / slowest
        reasons.append(f"the equilibration spans only {times:.0f} autocorrelation times")
    reasons += [
        f"{what}: difference of {abs(by):.1f} standard errors"
        for what, by in differences.items()
        if abs(by) > AGREEMENT
    ]
    return Verdict(error, target, slowest, length, differences, tuple(reasons))


def _differences(series: list[np.ndarray]) -> dict[str, float]:
    """Return the differences between halves of the run and of the slit, in standard errors."""
    column = estimators.block_averages(series, BLOCKS_PER_REPLICA)
    weights = estimators.block_weights(series, BLOCKS_PER_REPLICA)
    first = np.tile(np.arange(BLOCKS_PER_REPLICA) < BLOCKS_PER_REPLICA // 2, len(series))
    return {
        "both halves of the slit (dipole)": _in_errors(column["dipole"], weights),
        "both walls' pressures": _in_errors(column["left_wall"] + column["right_wall"], weights),
        "both halves of the run (middle)": _two_in_errors(column["middle"], weights, first),
        "both halves of the run (contact)": _two_in_errors(column["contact"], weights, first),
    }


def _in_errors(blocks: np.ndarray, weights: np.ndarray) -> float:
    mean, error = block_mean(blocks, weights)
    return float(mean / error) if error > 0 else 0.0


def _two_in_errors(blocks: np.ndarray, weights: np.ndarray, first: np.ndarray) -> float:
    mean, error = block_mean(blocks[first], weights[first])
    other, other_error = block_mean(blocks[~first], weights[~first])
    spread = np.hypot(error, other_error)
    return float((mean - other) / spread) if spread > 0 else 0.0
