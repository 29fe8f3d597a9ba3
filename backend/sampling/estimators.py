"""Density estimators: the histogram and force sampling.

Force sampling integrates dρ/dz = β⟨Σ_i f_z,i δ(z − z_i)⟩/A from behind the wall, where ρ = 0, with
the total conservative force on each ion (D. Borgis, R. Assaraf, B. Rotenberg, R. Vuilleumier,
Mol. Phys. 111, 3486 (2013)). Averaged over both halves of the slit and normalised to the known
number of ions, it needs about a tenth of the samples that a histogram needs.

The autocorrelation time is computed here, in ten lines, because a worker on a cluster node has only
NumPy, SciPy and Numba.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from backend.profiles.bins import bin_centres
from backend.profiles.density import DensityProfile, SlitProfiles, significant
from backend.sampling.samples import SERIES, Samples
from backend.system import MOLAR, SlitSystem


def mirrored(values: np.ndarray) -> np.ndarray:
    """Average with the mirror image z → −z along the last axis."""
    return 0.5 * (values + values[..., ::-1])


def histogram_blocks(system: SlitSystem, samples: Samples) -> np.ndarray:
    """Return the density of each block from counting ions (M), shape (blocks, 2, bins)."""
    return mirrored(samples.counts) / (samples.samples * _bin_volume(system, samples) * MOLAR)


def force_blocks(system: SlitSystem, samples: Samples) -> np.ndarray:
    """Return the density of each block from force sampling (M), shape (blocks, 2, bins).

    The sums give the exact average over each bin, however steep the profile is inside it. They
    are averaged with their mirror image and integrated from the left wall to the midplane.
    """
    half = samples.forces.shape[-1] // 2
    forces = 0.5 * (samples.forces - samples.forces[..., ::-1])[..., :half]
    # a mirrored ion feels the opposite force and has the rest of its bin to its right
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
    """Return the mean over blocks and its standard error.

    Parameters
    ----------
    blocks : ndarray, shape (blocks, ...)
    weights : ndarray, shape (blocks,), optional
        Length of each block relative to the mean length, for a single quantity; 1 by default.
    """
    if weights is not None:
        mean = np.average(blocks, weights=weights)
        # with this formula, blocks of equal length keep their exact values
        blocks = weights * blocks + (1 - weights) * mean
    return blocks.mean(axis=0), blocks.std(axis=0, ddof=1) / np.sqrt(len(blocks))


class Estimate(NamedTuple):
    """Density profiles, with the block residuals that determine their errors.

    Attributes
    ----------
    density : ndarray, shape (2, bins)
        Mean density of each species (M).
    residuals : ndarray, shape (blocks, 2, bins)
        Deviation of each block from the mean (M); the sum over blocks is zero.
    """

    density: np.ndarray
    residuals: np.ndarray

    @property
    def error(self) -> np.ndarray:
        """Standard error of the mean (M), shape (2, bins)."""
        return block_mean(self.residuals)[1]


def normalised(blocks: np.ndarray, mean_density: np.ndarray) -> Estimate:
    """Return the mean of force-sampled blocks, scaled to the known mean density.

    Parameters
    ----------
    blocks : ndarray, shape (blocks, 2, bins)
    mean_density : ndarray, shape (2,)
        Exact mean density of each species (M).

    Returns
    -------
    Estimate
        Its residuals are those of a ratio estimator: they exclude the fluctuations of the norm.
    """
    raw = blocks.mean(axis=0)
    factor = mean_density / raw.mean(axis=-1)
    density = raw * factor[:, None]
    norm = blocks.mean(axis=-1, keepdims=True) / raw.mean(axis=-1)[None, :, None]
    return Estimate(density, blocks * factor[None, :, None] - density * norm)


def normalised_mean(blocks: np.ndarray, mean_density: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the density and standard error of `normalised`, each of shape (2, bins)."""
    estimate = normalised(blocks, mean_density)
    return estimate.density, estimate.error


def mean_densities(system: SlitSystem) -> np.ndarray:
    """Return the exact mean density of each species (M), shape (2,)."""
    volume = system.box_length**2 * system.confinement_length
    return np.array(system.counts) / (volume * MOLAR)


def force_sampling(system: SlitSystem, samples: Samples) -> Estimate:
    """Return the best estimate from the blocks of a simulation: normalised force sampling."""
    return normalised(force_blocks(system, samples), mean_densities(system))


def histogram(system: SlitSystem, samples: Samples) -> Estimate:
    """Return the histogram estimate from the blocks of a simulation."""
    blocks = histogram_blocks(system, samples)
    density = blocks.mean(axis=0)
    return Estimate(density, blocks - density)


def density_profiles(system: SlitSystem, samples: Samples) -> SlitProfiles:
    """Return the profiles of `force_sampling`."""
    return profiles_of(system, force_sampling(system, samples))


def histogram_profiles(system: SlitSystem, samples: Samples) -> SlitProfiles:
    """Return the profiles of `histogram`."""
    return profiles_of(system, histogram(system, samples))


def profiles_of(system: SlitSystem, estimate: Estimate) -> SlitProfiles:
    """Return the profiles of an estimate, with their standard errors."""
    z = bin_centres(system, estimate.density.shape[-1])
    both = zip(estimate.density, estimate.error, strict=True)
    return SlitProfiles(*(DensityProfile(z, density, error) for density, error in both))


def median_relative_error(profiles: SlitProfiles) -> float:
    """Return the larger median relative error of the two species.

    The medians are over bins with at least 5 % of the maximum density.
    """
    medians = []
    for profile in (profiles.positive, profiles.negative):
        counted = significant(profile.density)
        medians.append(float(np.median(profile.error[counted] / profile.density[counted])))
    return max(medians)


def block_averages(series: list[np.ndarray], blocks: int) -> dict[str, np.ndarray]:
    """Return the block averages of each time series, by name.

    Parameters
    ----------
    series : list of ndarray, each of shape (rows, len(SERIES))
        Time series of each replica.
    blocks : int
        Number of blocks per replica.
    """
    parts = [part.mean(axis=0) for each in series for part in np.array_split(each, blocks)]
    return dict(zip(SERIES, np.array(parts).T, strict=True))


def block_weights(series: list[np.ndarray], blocks: int) -> np.ndarray:
    """Return the relative lengths of the blocks of `block_averages`, shape (replicas · blocks,)."""
    lengths = np.array([len(each) for each in series])
    return np.repeat(lengths / lengths.mean(), blocks)


def autocorrelation_rows(series: np.ndarray) -> float:
    """Return the integrated autocorrelation time of a series, in rows (at least 1/2).

    The sum ends at the first lag that exceeds five times the sum so far (A. D. Sokal's window).
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
