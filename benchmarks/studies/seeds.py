"""Error bars compared with the spread of independent runs: twenty seeds of one system."""

from __future__ import annotations

from typing import Any

import numpy as np

from backend.engines.numba.engine import run
from backend.settings import RunSettings
from backend.system import SPECIES, SlitSystem
from benchmarks.studies.report import figure, log, save

SEEDS = range(201, 221)
DURATION_NS = 1.0


def measure() -> dict[str, Any]:
    """Measure the ratio of the spread of twenty runs to their error bars, bin by bin."""
    system = SlitSystem()
    profiles = []
    for seed in SEEDS:
        result = run(system, RunSettings(duration_ns=DURATION_NS, seed=seed), threads=2)
        profiles.append(result.profiles.by_species())
        log(f"seed {seed}: {result.summary.median_relative_error:.2%}")
    measured: dict[str, Any] = {"z": profiles[0]["positive"].z.tolist()}
    for species in SPECIES:
        density = np.array([each[species].density for each in profiles])
        error = np.array([each[species].error for each in profiles])
        mean = density.mean(axis=0)
        counted = mean >= 0.05 * mean.max()
        spread = density.std(axis=0, ddof=1)
        bars = np.sqrt((error**2).mean(axis=0))
        ratio = np.where(counted, spread / np.where(counted, bars, 1), np.nan)
        measured[species] = {
            "median_ratio": float(np.nanmedian(ratio)),
            "ratio_of_means": float(
                np.sqrt((spread[counted] ** 2).sum() / (bars[counted] ** 2).sum())
            ),
            "ratio": [None if np.isnan(value) else float(value) for value in ratio],
        }
    return measured


def rows(measured: dict[str, Any]) -> list[list[str]]:
    """Table of the ratio of spread to error bars."""
    table = [["ions", "spread/error bar, median over bins", "root mean square over bins"]]
    for species in SPECIES:
        found = measured[species]
        table.append([species, f"{found['median_ratio']:.2f}", f"{found['ratio_of_means']:.2f}"])
    return table


def draw(measured: dict[str, Any]) -> None:
    """Draw the ratio against z."""
    picture, axes = figure(1, 1)
    axis = axes[0, 0]
    axis.axhspan(0.8, 1.25, color="0.92", zorder=0)
    for species, style in zip(SPECIES, ("-", "--"), strict=True):
        ratio = [np.nan if r is None else r for r in measured[species]["ratio"]]
        axis.plot(measured["z"], ratio, style, label=f"{species} ions")
    axis.set_xlabel("z (nm)")
    axis.set_ylabel("spread of 20 runs / error bar")
    axis.set_ylim(0, 2)
    axis.legend(fontsize=8)
    save(picture, "error bars")
