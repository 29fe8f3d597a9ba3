"""What a finished run says about itself, as JSON values."""

from __future__ import annotations

import platform
from typing import Any

import numba
import numpy as np
from scipy import constants

from backend import __version__
from backend.md import estimators
from backend.md.electrostatics import splitting
from backend.md.estimators import SERIES, Samples, block_averages, block_mean
from backend.md.schedule import BLOCKS_PER_REPLICA
from backend.md.verdict import Verdict
from backend.profiles import SlitProfiles
from backend.settings import RunSettings
from backend.system import MOLAR, SPECIES, SlitSystem


def summary(
    system: SlitSystem,
    settings: RunSettings,
    samples: Samples,
    profiles: SlitProfiles,
    series: list[np.ndarray],
    verdict: Verdict,
) -> dict[str, Any]:
    """Densities, pressures and checks of a run.

    Parameters
    ----------
    system, settings, samples, profiles
        What was simulated, how, its blocks, and the profiles they give.
    series : list of ndarray, each of shape (rows, len(SERIES))
        What every replica recorded in time.
    verdict : Verdict
        Whether it has converged.
    """
    row_time = _row_time(settings, samples, series)
    return {
        "counts": dict(zip(SPECIES, system.counts, strict=True)),
        "box_length_nm": system.box_length,
        "surface_charge_density": system.actual_surface_charge_density,
        "densities_M": {
            species: {
                "contact": profile.contact_density(system, species),
                "peak": profile.peak_density,
                "mid": profile.mid_density,
                "mean": profile.mean_density,
            }
            for species, profile in profiles.by_species().items()
        },
        "pressures_MPa": _pressures(system, profiles, series),
        "median_relative_error": verdict.median_relative_error,
        "error_bars": f"standard errors of the mean from {samples.blocks} blocks",
        "convergence": verdict.to_dict(),
        "checks": {
            "temperature": float(np.concatenate(series)[:, SERIES.index("temperature")].mean()),
            "autocorrelation_time_tau": verdict.autocorrelation_time * row_time,
            "block_length_tau": verdict.block_length * row_time,
            "effective_samples": len(np.concatenate(series)) / (2 * verdict.autocorrelation_time),
            **_force_to_count(system, samples),
            "pair_force_error": splitting(
                system.confinement_length / system.box_length, settings.electrostatics
            ).error,
        },
        "versions": {
            "nanoconf": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "numba": numba.__version__,
        },
    }


def _row_time(settings: RunSettings, samples: Samples, series: list[np.ndarray]) -> float:
    """Time (τ) that one row of the series spans."""
    rows_per_block = sum(len(each) for each in series) / samples.blocks
    interval = settings.time_step * settings.steps_per_sample
    return round(samples.samples / rows_per_block) * interval


def _force_to_count(system: SlitSystem, samples: Samples) -> dict[str, Any]:
    """Ions that the forces say there are, over those that there are: 1 if all is well."""
    mean = estimators.force_blocks(system, samples).mean(axis=-1)
    ratio, error = block_mean(mean / estimators.mean_densities(system))
    return {
        "force_to_count_ratio": dict(zip(SPECIES, ratio.tolist(), strict=True)),
        "force_to_count_ratio_error": dict(zip(SPECIES, error.tolist(), strict=True)),
    }


def _pressures(
    system: SlitSystem, profiles: SlitProfiles, series: list[np.ndarray]
) -> dict[str, dict[str, float]]:
    """Pressure on the left wall, on the right wall and across the mid-plane, with errors (MPa).

    The mid-plane's is the ideal part ρ(0) k_BT plus the force with which the ions on the right push
    those on the left; all three are equal in equilibrium.
    """
    column = block_averages(series, BLOCKS_PER_REPLICA)
    # k_BT per nm³ in MPa
    unit = constants.k * system.temperature * 1e27 * 1e-6
    area = system.box_length**2
    forces = {
        "left": column["left_wall"],
        "right": -column["right_wall"],
        "middle": -column["left_half"],
    }
    pressures = {}
    for name, values in forces.items():
        mean, error = block_mean(values / area)
        pressures[name] = {"pressure": float(mean * unit), "error": float(error * unit)}
    ideal = MOLAR * sum(profile.mid_density for profile in profiles.by_species().values())
    pressures["middle"]["pressure"] += float(ideal * unit)
    return pressures
