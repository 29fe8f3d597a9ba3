"""Density estimators: the histogram and force sampling.

Force sampling integrates dρ/dz = β⟨Σ_i f_z,i δ(z − z_i)⟩/A from behind the wall, where ρ = 0, with
the total conservative force on each ion (D. Borgis, R. Assaraf, B. Rotenberg, R. Vuilleumier,
Mol. Phys. 111, 3486 (2013)). Averaged over both mirror halves and with its norm fixed to the known
number of ions it needs about a tenth of the samples that a histogram needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from backend.engines.numba.compiled import FAST
from backend.engines.numba.contact import wall_forces_at
from backend.profiles.bins import bin_centres
from backend.profiles.density import DensityProfile, SlitProfiles
from backend.system import MOLAR, SlitSystem

SERIES = (
    "temperature",
    "dipole",
    "middle",
    "contact",
    "left_wall",
    "right_wall",
    "left_half",
)
"""What is recorded in time: kinetic temperature (1 = k_BT); Σ z_i Z_i (e nm); numbers of ions in
the middle fifth of the slit and within a tenth of a diameter of contact; z forces of the left and
of the right wall on all ions, and of all ions on those in the left half (k_BT/nm)."""


class Tally(NamedTuple):
    """Sums over the samples of one stretch of a simulation.

    Attributes
    ----------
    counts : ndarray, shape (2, bins)
        Ions in each bin, by species.
    forces : ndarray, shape (2, bins)
        Sum of their z forces (k_BT/nm).
    tails : ndarray, shape (2, bins)
        The same, each force weighted by the share of its bin that lies to the right of the ion.
    series : ndarray, shape (rows, len(SERIES))
        Averages over `samples_per_row` successive samples.
    limits : ndarray, shape (3,)
        h/2 and the bounds of |z| of the two counted regions (nm).
    energy : ndarray, shape (1,)
        Potential energy (k_BT) at the end; nan where it is not known.
    samples_per_row : int
    """

    counts: np.ndarray
    forces: np.ndarray
    tails: np.ndarray
    series: np.ndarray
    limits: np.ndarray
    energy: np.ndarray
    samples_per_row: int


def empty_tally(system: SlitSystem, bins: int, rows: int, samples_per_row: int = 1) -> Tally:
    """A tally with room for so many samples, none taken yet."""
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


@njit(**FAST)
def tally(state, field, degrees, record, sample):  # pragma: no cover - compiled
    """Add the present configuration to the sums, as sample number `sample` of the tally.

    `degrees` is the number of degrees of freedom that the temperature counts.
    """
    bins = record.counts.shape[1]
    half, middle, contact = record.limits
    scale = bins / (2.0 * half)
    count = state.positions.shape[1]
    kinetic, dipole, inner, outer = 0.0, 0.0, 0, 0
    left_wall, right_wall, left_half = 0.0, 0.0, 0.0
    for i in range(count):
        z = state.positions[2, i]
        species = int(i >= field.positive_count)
        place = (z + half) * scale
        k = min(int(place), bins - 1)
        force = state.contact[2, i] + state.coulomb[2, i]
        record.counts[species, k] += 1.0
        record.forces[species, k] += force
        record.tails[species, k] += force * (k + 1 - place)
        for a in range(3):
            kinetic += state.velocities[a, i] ** 2
        dipole += field.valency[i] * z
        left, right = wall_forces_at(z, species, field)
        left_wall += left
        right_wall += right
        if z < 0.0:
            left_half += force - left - right
        inner += abs(z) < middle
        outer += abs(z) > contact
    row = record.series[sample // record.samples_per_row]
    share = 1.0 / record.samples_per_row
    row[0] += share * kinetic / degrees
    row[1] += share * dipole
    row[2] += share * inner
    row[3] += share * outer
    row[4] += share * left_wall
    row[5] += share * right_wall
    row[6] += share * left_half


@dataclass(frozen=True)
class Samples:
    """Sums over successive blocks of equal length, of one or several replicas.

    Attributes
    ----------
    counts, forces, tails : ndarray, shape (blocks, 2, bins)
        As in `Tally`.
    samples : int
        Samples in each block.
    rows : int
        Rows of the recorded series that each block spans.
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
        """The sums of some tallies, a block each."""
        return cls(
            np.array([t.counts for t in tallies]),
            np.array([t.forces for t in tallies]),
            np.array([t.tails for t in tallies]),
            len(tallies[0].series) * tallies[0].samples_per_row,
            len(tallies[0].series),
        )

    def merged(self, length: int) -> Samples:
        """The same sums in blocks `length` times as long; a remainder is left out in front."""
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
        """The sums of several replicas in blocks that are as long as possible, and equally long.

        There are at least `per_replica` blocks for each replica, on average: a longer replica
        has more of them, so that it counts by its length.
        """
        least = per_replica * len(replicas)
        length = max(1, sum(each.blocks for each in replicas) // least)
        while length > 1 and sum(each.blocks // length for each in replicas) < least:
            length -= 1
        return cls.joined([each.merged(length) for each in replicas])

    @staticmethod
    def joined(parts: list[Samples]) -> Samples:
        """Blocks of several replicas side by side."""
        return Samples(
            np.concatenate([p.counts for p in parts]),
            np.concatenate([p.forces for p in parts]),
            np.concatenate([p.tails for p in parts]),
            parts[0].samples,
            parts[0].rows,
        )


def mirrored(values: np.ndarray) -> np.ndarray:
    """Average with the mirror image z → −z, over the last axis."""
    return 0.5 * (values + values[..., ::-1])


def histogram_blocks(system: SlitSystem, samples: Samples) -> np.ndarray:
    """Density of each block from counting ions (M), shape (blocks, 2, bins)."""
    return mirrored(samples.counts) / (samples.samples * _bin_volume(system, samples) * MOLAR)


def force_blocks(system: SlitSystem, samples: Samples) -> np.ndarray:
    """Density of each block from force sampling (M), shape (blocks, 2, bins).

    The sums give the average over each bin exactly, however steep the profile is inside it. They
    are averaged with their mirror image and integrated from the left wall to the middle.
    """
    half = samples.forces.shape[-1] // 2
    forces = 0.5 * (samples.forces - samples.forces[..., ::-1])[..., :half]
    # the mirror image of an ion pushes the other way, with the rest of the bin to its right
    mirror_tails = (samples.forces - samples.tails)[..., ::-1]
    tails = 0.5 * (samples.tails - mirror_tails)[..., :half]
    left = np.cumsum(forces, axis=-1) - forces + tails
    density = left / (samples.samples * system.box_length**2 * MOLAR)
    return np.concatenate([density, density[..., ::-1]], axis=-1)


def _bin_volume(system: SlitSystem, samples: Samples) -> float:
    bins = samples.counts.shape[-1]
    return system.box_length**2 * system.confinement_length / bins


def block_mean(
    blocks: np.ndarray, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Mean over blocks and its standard error.

    Parameters
    ----------
    blocks : ndarray, shape (blocks, ...)
    weights : ndarray, shape (blocks,), optional
        Length of each block of a single quantity over their mean length; all 1 where left out.
    """
    if weights is not None:
        mean = np.average(blocks, weights=weights)
        # in this form blocks of equal length keep their exact values
        blocks = weights * blocks + (1 - weights) * mean
    return blocks.mean(axis=0), blocks.std(axis=0, ddof=1) / np.sqrt(len(blocks))


class Estimate(NamedTuple):
    """Density profiles with the blocks that their errors come from.

    Attributes
    ----------
    density : ndarray, shape (2, bins)
        Mean density of each species (M).
    residuals : ndarray, shape (blocks, 2, bins)
        What each block deviates by (M); the sum over blocks is zero.
    """

    density: np.ndarray
    residuals: np.ndarray

    @property
    def error(self) -> np.ndarray:
        """Standard error of the mean (M), shape (2, bins)."""
        return block_mean(self.residuals)[1]


def normed(blocks: np.ndarray, mean_density: np.ndarray) -> Estimate:
    """Mean of force-sampled blocks, scaled to the known mean density.

    Parameters
    ----------
    blocks : ndarray, shape (blocks, 2, bins)
    mean_density : ndarray, shape (2,)
        Exact mean density of each species (M).

    Returns
    -------
    Estimate
        Its residuals are those of a ratio estimator: blocks less the share that scaling takes out.
    """
    raw = blocks.mean(axis=0)
    factor = mean_density / raw.mean(axis=-1)
    density = raw * factor[:, None]
    norm = blocks.mean(axis=-1, keepdims=True) / raw.mean(axis=-1)[None, :, None]
    return Estimate(density, blocks * factor[None, :, None] - density * norm)


def normed_mean(blocks: np.ndarray, mean_density: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Density and standard error of `normed`, each of shape (2, bins)."""
    estimate = normed(blocks, mean_density)
    return estimate.density, estimate.error


def mean_densities(system: SlitSystem) -> np.ndarray:
    """Exact mean density of each species (M), shape (2,)."""
    volume = system.box_length**2 * system.confinement_length
    return np.array(system.counts) / (volume * MOLAR)


def force_sampling(system: SlitSystem, samples: Samples) -> Estimate:
    """The best estimate from the blocks of a simulation: force sampling with its norm fixed."""
    return normed(force_blocks(system, samples), mean_densities(system))


def histogram(system: SlitSystem, samples: Samples) -> Estimate:
    """The histogram estimate from the blocks of a simulation."""
    blocks = histogram_blocks(system, samples)
    density = blocks.mean(axis=0)
    return Estimate(density, blocks - density)


def density_profiles(system: SlitSystem, samples: Samples) -> SlitProfiles:
    """The profiles of `force_sampling`."""
    return profiles_of(system, force_sampling(system, samples))


def histogram_profiles(system: SlitSystem, samples: Samples) -> SlitProfiles:
    """The profiles of `histogram`."""
    return profiles_of(system, histogram(system, samples))


def profiles_of(system: SlitSystem, estimate: Estimate) -> SlitProfiles:
    """The profiles of an estimate, with their standard errors."""
    z = bin_centres(system, estimate.density.shape[-1])
    both = zip(estimate.density, estimate.error, strict=True)
    return SlitProfiles(*(DensityProfile(z, density, error) for density, error in both))


def median_relative_error(profiles: SlitProfiles) -> float:
    """The larger of both species' median relative error, over bins of ≥ 5 % of the maximum."""
    medians = []
    for profile in (profiles.positive, profiles.negative):
        counted = profile.density >= 0.05 * profile.density.max()
        medians.append(float(np.median(profile.error[counted] / profile.density[counted])))
    return max(medians)


def block_averages(series: list[np.ndarray], blocks: int) -> dict[str, np.ndarray]:
    """Averages of what was recorded, over so many blocks of each replica, by name.

    Parameters
    ----------
    series : list of ndarray, each of shape (rows, len(SERIES))
        What every replica recorded in time.
    blocks : int
        Blocks of each replica.
    """
    parts = [part.mean(axis=0) for each in series for part in np.array_split(each, blocks)]
    return dict(zip(SERIES, np.array(parts).T, strict=True))


def block_weights(series: list[np.ndarray], blocks: int) -> np.ndarray:
    """Lengths of the blocks of `block_averages` over their mean, shape (replicas · blocks,)."""
    lengths = np.array([len(each) for each in series])
    return np.repeat(lengths / lengths.mean(), blocks)


def autocorrelation_rows(series: np.ndarray) -> float:
    """Integrated autocorrelation time of a series, in rows (at least 1/2).

    The sum over lags ends at five times itself (A. D. Sokal's window).
    """
    deviation = series - series.mean()
    variance = float(np.mean(deviation**2))
    if variance == 0:
        return 0.5
    size = 2 ** int(np.ceil(np.log2(2 * len(series))))
    spectrum = np.abs(np.fft.rfft(deviation, size)) ** 2
    correlation = np.fft.irfft(spectrum, size)[: len(series)] / (len(series) * variance)
    time = 0.5 + np.cumsum(correlation[1:])
    window = np.arange(1, len(series)) >= 5 * time
    return float(max(0.5, time[np.argmax(window)] if window.any() else time[-1]))
