"""Figures of the studies."""

from __future__ import annotations

from benchmarks.contenders import SYSTEMS
from benchmarks.studies.report import MARKERS, STYLES, figure, save
from benchmarks.studies.shift import Shift

BAND = 0.5
"""Half width of the shaded band (%)."""


def draw_shifts(study: str, shifts: list[Shift]) -> None:
    """Draw the difference of each variant's profile from the first variant's, against z."""
    picture, axes = figure(2, len(SYSTEMS), sharex="col", sharey="row")
    for row, species in enumerate(("positive", "negative")):
        for column, system in enumerate(SYSTEMS):
            axis = axes[row, column]
            axis.axhspan(-BAND, BAND, color="0.92", zorder=0)
            axis.axhline(0, color="0.6", linewidth=0.8)
            shown = [s for s in shifts if (s.system, s.species) == (system, species)]
            for index, each in enumerate(shown):
                axis.errorbar(
                    each.z,
                    [100 * value for value in each.relative],
                    [100 * value for value in each.error],
                    linestyle=STYLES[index % len(STYLES)],
                    marker=MARKERS[index % len(MARKERS)],
                    markersize=3,
                    linewidth=1,
                    elinewidth=0.6,
                    label=each.variant,
                )
            axis.set_title(f"{system}, {species} ions", fontsize=9)
            axis.set_ylabel("difference (%)")
            axis.set_ylim(-2.5, 2.5)
    for axis in axes[-1]:
        axis.set_xlabel("z (nm)")
    axes[0, 0].legend(fontsize=6.5)
    save(picture, study)
