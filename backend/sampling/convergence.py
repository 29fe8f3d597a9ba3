"""Whether a simulation has converged, and if not, why not and how much longer it takes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from backend.profiles.density import SlitProfiles
from backend.sampling import estimators
from backend.sampling.estimators import block_mean
from backend.sampling.samples import SERIES, Samples
from backend.sampling.schedule import BLOCKS_PER_REPLICA
from backend.sampling.summary import Convergence

TARGET_ERROR = 0.005
"""Median relative error below which a run counts as converged unless another target is set."""

TIMES_PER_BLOCK = 5.0
"""Autocorrelation times that a block must span."""

AGREEMENT = 3.0
"""Standard errors by which halves may differ."""

SLOW = ("dipole", "middle", "contact")
"""Series whose autocorrelation time counts."""


@dataclass(frozen=True)
class Verdict:
    """Whether a run has converged.

    Attributes
    ----------
    median_relative_error, target_error : float
        Of the profile of the worse species, and what was aimed at.
    autocorrelation_time, block_length : float
        Of the slowest series, and of a block (in rows of the series).
    differences : dict
        Differences that should be zero, in standard errors.
    reasons : tuple of str
        Why it has not converged; empty where it has.
    """

    median_relative_error: float
    target_error: float
    autocorrelation_time: float
    block_length: float
    differences: dict[str, float] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()

    @property
    def converged(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.reasons

    @property
    def times_longer(self) -> float:
        """How many times as long a run would reach the target, as errors fall with √time."""
        return max(1.0, (self.median_relative_error / self.target_error) ** 2)

    def convergence(self) -> Convergence:
        """The verdict, for the summary of the run."""
        return Convergence(
            converged=self.converged,
            median_relative_error=self.median_relative_error,
            target_error=self.target_error,
            reasons=list(self.reasons),
            times_longer=self.times_longer,
            differences_in_standard_errors=self.differences,
        )


def judge(
    samples: Samples,
    profiles: SlitProfiles,
    series: list[np.ndarray],
    target_error: float | None,
) -> Verdict:
    """Judge a run.

    Parameters
    ----------
    samples, profiles
        The blocks of the run, and the profiles they give.
    series : list of ndarray, each of shape (rows, len(SERIES))
        What every replica recorded in time.
    target_error : float or None
        Median relative error to reach; `TARGET_ERROR` where None.
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
        reasons.append(f"it spans only {rows / slowest:.0f} autocorrelation times")
    reasons += [
        f"{what} differ by {abs(by):.1f} standard errors"
        for what, by in differences.items()
        if abs(by) > AGREEMENT
    ]
    return Verdict(error, target, slowest, length, differences, tuple(reasons))


def _differences(series: list[np.ndarray]) -> dict[str, float]:
    """Differences between halves of the run and of the slit, in standard errors."""
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
