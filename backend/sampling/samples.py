"""Sums over the samples of a simulation, which engines collect and estimators read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from backend.system import SlitSystem

SERIES = (
    "temperature",
    "dipole",
    "middle",
    "contact",
    "left_wall",
    "right_wall",
    "left_half",
)
"""Recorded time series: kinetic temperature (1 = k_BT); Σ z_i Z_i (e nm); numbers of ions in the
middle fifth of the slit and within a tenth of a diameter of contact; z forces of the left and of
the right wall on all ions, and of all ions on those in the left half (k_BT/nm)."""


class Tally(NamedTuple):
    """Sums over a number of successive samples of one replica.

    Attributes
    ----------
    counts : ndarray, shape (2, bins)
        Number of ions in each bin, by species.
    forces : ndarray, shape (2, bins)
        Sum of their z forces (k_BT/nm).
    tails : ndarray, shape (2, bins)
        The same, with each force weighted by the fraction of the bin to the right of the ion.
    series : ndarray, shape (rows, len(SERIES))
        Averages over `samples_per_row` successive samples.
    limits : ndarray, shape (3,)
        h/2, and the limits of |z| for the series ``middle`` and ``contact`` (nm).
    energy : ndarray, shape (1,)
        Potential energy (k_BT) at the end; NaN if unknown.
    samples_per_row : int
        Number of samples in a row of `series`.
    """

    counts: np.ndarray
    forces: np.ndarray
    tails: np.ndarray
    series: np.ndarray
    limits: np.ndarray
    energy: np.ndarray
    samples_per_row: int


def empty_tally(system: SlitSystem, bins: int, rows: int, samples_per_row: int = 1) -> Tally:
    """Return a tally with all sums zero."""
    half = system.confinement_length / 2
    contact = min(system.contact_planes) - 0.1 * min(system.diameters)
    return Tally(
        counts=np.zeros((2, bins)),
        forces=np.zeros((2, bins)),
        tails=np.zeros((2, bins)),
        series=np.zeros((rows, len(SERIES))),
        limits=np.array([half, 0.2 * half, contact]),
        energy=np.full(1, np.nan),
        samples_per_row=samples_per_row,
    )


@dataclass(frozen=True)
class Samples:
    """Sums over successive blocks of equal length, from one or several replicas.

    Attributes
    ----------
    counts, forces, tails : ndarray, shape (blocks, 2, bins)
        As in `Tally`.
    samples : int
        Number of samples per block.
    rows : int
        Number of rows of the time series per block.
    """

    counts: np.ndarray
    forces: np.ndarray
    tails: np.ndarray
    samples: int
    rows: int

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return len(self.counts)

    @classmethod
    def of(cls, tallies: list[Tally]) -> Samples:
        """Return the sums of the tallies, one block per tally."""
        return cls(
            np.array([t.counts for t in tallies]),
            np.array([t.forces for t in tallies]),
            np.array([t.tails for t in tallies]),
            len(tallies[0].series) * tallies[0].samples_per_row,
            len(tallies[0].series),
        )

    def merged(self, length: int) -> Samples:
        """Merge every `length` blocks into one; drop a remainder at the start."""
        count = self.blocks // length
        first = self.blocks - count * length

        def added(sums: np.ndarray) -> np.ndarray:
            return sums[first:].reshape(count, length, *sums.shape[1:]).sum(axis=1)

        return Samples(
            added(self.counts),
            added(self.forces),
            added(self.tails),
            self.samples * length,
            self.rows * length,
        )

    @classmethod
    def in_blocks(cls, replicas: list[Samples], per_replica: int) -> Samples:
        """Merge the blocks of several replicas into blocks of the largest possible equal length.

        There are at least `per_replica` blocks per replica on average. A longer replica
        contributes more blocks, so its weight is proportional to its length.
        """
        least = per_replica * len(replicas)
        length = max(1, sum(each.blocks for each in replicas) // least)
        while length > 1 and sum(each.blocks // length for each in replicas) < least:
            length -= 1
        return cls.joined([each.merged(length) for each in replicas])

    @staticmethod
    def joined(parts: list[Samples]) -> Samples:
        """Concatenate the blocks of several replicas."""
        return Samples(
            np.concatenate([p.counts for p in parts]),
            np.concatenate([p.forces for p in parts]),
            np.concatenate([p.tails for p in parts]),
            parts[0].samples,
            parts[0].rows,
        )
