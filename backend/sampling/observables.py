"""Observables of a run: densities, charge, pressures, energies and checks."""

from __future__ import annotations

import platform
from collections.abc import Mapping

import numpy as np

from backend import __version__, constants
from backend.profiles.blocks import BlockResiduals
from backend.profiles.charge import ChargeProfile
from backend.profiles.density import SlitProfiles, contact_density, mid_density
from backend.sampling import estimators
from backend.sampling.agreement import agreement
from backend.sampling.convergence import Verdict
from backend.sampling.equilibration import Measured
from backend.sampling.estimators import block_mean
from backend.sampling.samples import SERIES, Samples
from backend.sampling.schedule import BLOCKS_PER_REPLICA
from backend.sampling.summary import Checks, Summary, Timings
from backend.settings import RunSettings
from backend.system import MOLAR, SPECIES, SlitSystem


def summarise(
    system: SlitSystem,
    settings: RunSettings,
    samples: Samples,
    profiles: SlitProfiles,
    residuals: BlockResiduals,
    series: list[np.ndarray],
    verdict: Verdict,
    *,
    equilibration: Measured | None,
    potential_energies: list[np.ndarray],
    timings: Timings,
    own_checks: Mapping[str, float],
    own_versions: Mapping[str, str],
) -> Summary:
    """Summarise a run.

    Parameters
    ----------
    system, settings, samples, profiles, residuals
        System, settings and blocks of the run, the profiles, and the residuals of the blocks.
    series : list of ndarray, each of shape (rows, len(SERIES))
        Time series of each replica.
    verdict : Verdict
        Outcome of the convergence criteria.
    equilibration : Measured or None
        Equilibration of the run; None if there was none.
    potential_energies : list of ndarray, each of shape (times,)
        As in `energies`.
    timings : Timings
        Cost of the run.
    own_checks, own_versions : mapping
        Engine-specific checks, and versions of the programs that the engine runs.
    """
    block_time = samples.samples * settings.time_step * settings.steps_per_sample
    row_time = block_time / samples.rows
    checks = _checks(system, samples, series, verdict, row_time, own_checks)
    densities, errors = _densities(system, profiles, residuals)
    return Summary(
        simulated_ns=samples.blocks * block_time * system.time_unit_ns,
        counts=dict(zip(SPECIES, system.counts, strict=True)),
        box_length_nm=system.box_length,
        surface_charge_density=system.actual_surface_charge_density,
        densities_M=densities,
        density_errors_M=errors,
        charge=_charge(ChargeProfile.of(system, profiles, residuals)),
        pressures_MPa=_pressures(system, samples, profiles, residuals, series),
        median_relative_error=verdict.median_relative_error,
        error_bars=f"standard errors of the mean from {samples.blocks} blocks",
        convergence=verdict.convergence(),
        equilibration=equilibration.summary(system, row_time) if equilibration else None,
        checks=checks,
        versions={
            "nanoconf": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            **own_versions,
        },
        energy_per_ion_kT=energies(system, potential_energies, checks.temperature),
        timings=timings,
    )


def _checks(
    system: SlitSystem,
    samples: Samples,
    series: list[np.ndarray],
    verdict: Verdict,
    row_time: float,
    own: Mapping[str, float],
) -> Checks:
    """Return the checks of a run; `row_time` (τ) is the time between rows of the series."""
    rows = np.concatenate(series)
    ratio, error = _force_to_count(system, samples)
    return Checks(
        temperature=float(rows[:, SERIES.index("temperature")].mean()),
        autocorrelation_time_tau=verdict.autocorrelation_time * row_time,
        block_length_tau=verdict.block_length * row_time,
        effective_samples=len(rows) / (2 * verdict.autocorrelation_time),
        force_to_count_ratio=ratio,
        force_to_count_ratio_error=error,
        estimators=agreement(system, samples),
        own=dict(own),
    )


def energies(
    system: SlitSystem, potential: list[np.ndarray], temperature: float
) -> dict[str, float]:
    """Return the kinetic and potential energy per ion (k_BT), the latter with its standard error.

    Parameters
    ----------
    potential : list of ndarray, each of shape (times,)
        Potential energies (k_BT) of each replica over time, including periodic images, relative
        to ions infinitely far apart (up to a constant for charged walls).
    temperature : float
        Kinetic temperature of the ions, relative to the set temperature.
    """
    parts = [part.mean() for each in potential for part in np.array_split(each, BLOCKS_PER_REPLICA)]
    weights = estimators.block_weights(potential, BLOCKS_PER_REPLICA)
    mean, error = block_mean(np.array(parts) / system.ion_count, weights)
    return {
        "kinetic": 1.5 * temperature,
        "potential": float(mean),
        "potential_error": float(error),
    }


def _densities(
    system: SlitSystem, profiles: SlitProfiles, residuals: BlockResiduals
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Return contact, peak and midplane densities with standard errors; the mean is exact."""
    values, errors = {}, {}
    for s, species in enumerate(SPECIES):

        def densities(both: np.ndarray, s: int = s, species: str = species) -> np.ndarray:
            contact = contact_density(system, species, both[s])
            return np.array([contact, both[s].max(), mid_density(both[s])])

        names = ("contact", "peak", "mid")
        found = densities(profiles.densities)
        error = residuals.standard_error(densities, profiles.densities)
        values[species] = dict(zip(names, found.tolist(), strict=True))
        values[species]["mean"] = profiles.by_species()[species].mean_density
        errors[species] = dict(zip(names, error.tolist(), strict=True))
    return values, errors


def _charge(charge: ChargeProfile) -> dict[str, float | None]:
    """Return the screening length and wall potential with standard errors; None if undefined."""
    values = {
        "screening_length_nm": charge.screening_length,
        "screening_length_error_nm": charge.screening_length_error,
        "wall_potential_mV": charge.wall_potential,
        "wall_potential_error_mV": charge.wall_potential_error,
    }
    return {name: float(v) if np.isfinite(v) else None for name, v in values.items()}


def _force_to_count(
    system: SlitSystem, samples: Samples
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the ratio of force-sampled to exact ion numbers, 1 in equilibrium, and its error."""
    mean = estimators.force_blocks(system, samples).mean(axis=-1)
    ratio, error = block_mean(mean / estimators.mean_densities(system))
    return (
        dict(zip(SPECIES, ratio.tolist(), strict=True)),
        dict(zip(SPECIES, error.tolist(), strict=True)),
    )


def _pressures(
    system: SlitSystem,
    samples: Samples,
    profiles: SlitProfiles,
    residuals: BlockResiduals,
    series: list[np.ndarray],
) -> dict[str, dict[str, float]]:
    """Return the pressures on both walls and across the midplane, with errors (MPa).

    The pressure across the midplane is the ideal part ρ(0) k_BT plus the force per area that the
    ions on the right exert on those on the left. All three are equal in equilibrium.
    """
    recorded = _recorded_in_blocks(samples, series) / system.box_length**2
    # block by block, because the density at the midplane and the force across it are correlated
    ideal = profiles.densities + residuals.full
    middle = MOLAR * np.apply_along_axis(mid_density, -1, ideal).sum(axis=-1)
    blocks = {
        "left": recorded[:, SERIES.index("left_wall")],
        "right": -recorded[:, SERIES.index("right_wall")],
        "middle": middle - recorded[:, SERIES.index("left_half")],
    }
    # k_BT per nm³ in MPa
    unit = constants.k * system.temperature * 1e27 * 1e-6
    pressures = {}
    for name, values in blocks.items():
        mean, error = block_mean(values)
        pressures[name] = {"pressure": float(mean * unit), "error": float(error * unit)}
    return pressures


def _recorded_in_blocks(samples: Samples, series: list[np.ndarray]) -> np.ndarray:
    """Return the series averaged over the blocks of the profiles, shape (blocks, series)."""
    # as in `Samples.merged`, a remainder at the start of each replica is dropped
    aligned = [each[len(each) % samples.rows :] for each in series]
    return np.concatenate(aligned).reshape(samples.blocks, samples.rows, -1).mean(axis=1)
