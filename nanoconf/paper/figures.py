"""Figures of `compare` and `select_inputs`, in the Okabe-Ito colours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.files import written_whole
from nanoconf.paper.compare import Comparison
from nanoconf.paper.points import POINTS
from nanoconf.paper.select_inputs import Choice, Elimination

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKS = (("#0072B2", "o"), ("#D55E00", "^"), ("#009E73", "s"), ("#23262d", "D"))
"""Colour and marker of each series; either alone distinguishes them."""

DPI = 110


# --- parity ---------------------------------------------------------------------------------


def draw_parity(comparison: Comparison, path: Path) -> None:
    """Plot predicted against simulated densities of held-out simulations (the paper's Fig. 3)."""
    names = list(comparison.trials)
    figure, axes = _figure(len(names), len(POINTS), (2.7, 2.3))
    for row, name in enumerate(names):
        for column, point in enumerate(POINTS):
            _draw_parity(axes[row, column], comparison, name, column)
            axes[0, column].set_title(f"{point} density")
            axes[-1, column].set_xlabel("MD (M)")
        axes[row, 0].set_ylabel(f"{name} (M)")
    axes[0, 0].legend(fontsize=7, markerscale=2, frameon=False)
    _save(figure, path)


def _draw_parity(axis: Axes, comparison: Comparison, name: str, column: int) -> None:
    true = comparison.truth.density[:, column]
    predicted = comparison.trials[name].prediction[:, column]
    systems = [comparison.data.systems[row] for row in comparison.held_out]
    valencies = np.array([system.positive_valency for system in systems])
    for valency, (colour, marker) in zip(np.unique(valencies), MARKS, strict=False):
        chosen = valencies == valency
        axis.plot(
            true[chosen],
            predicted[chosen],
            marker,
            color=colour,
            markersize=2,
            markeredgewidth=0,
            alpha=0.6,
            label=f"$z_+$ = {valency}",
        )
    axis.axline((true.mean(), true.mean()), slope=1, color="0.3", linewidth=0.8)
    both = np.append(true, predicted)
    margin = 0.04 * np.ptp(both)
    limits = both.min() - margin, both.max() + margin
    axis.set(xlim=limits, ylim=limits)


# --- elimination ----------------------------------------------------------------------------


def draw_elimination(choice: Choice, path: Path) -> None:
    """Plot adjusted R² as inputs are dropped."""
    figure, axes = _figure(1, len(choice.together), (4.8, 3.4))
    for axis, elimination in zip(axes[0], choice.together, strict=True):
        _draw_elimination(axis, elimination)
    axes[0, 0].set_ylabel("adjusted R²")
    axes[0, 0].legend(fontsize=8, frameon=False)
    _save(figure, path)


def _draw_elimination(axis: Axes, elimination: Elimination) -> None:
    steps = elimination.steps
    positions = np.arange(len(steps))
    for point, (colour, marker) in zip(POINTS, MARKS, strict=False):
        values = [step.adjusted_r2[point] for step in steps]
        axis.plot(positions, values, marker=marker, color=colour, markersize=4, label=point)
    scores = [step.score for step in steps]
    axis.plot(positions, scores, color=MARKS[-1][0], linestyle="--", label="mean")
    axis.axvline(
        steps.index(elimination.chosen), color="0.85", linewidth=6, zorder=0, label="chosen"
    )
    dropped = ["all", *(f"− {step.dropped}" for step in steps[:-1])]
    axis.set_xticks(positions, dropped, fontsize=8)
    axis.set_title(f"{elimination.model} model", fontsize=10)


# --- files ----------------------------------------------------------------------------------


def _figure(rows: int, columns: int, size: tuple[float, float]) -> tuple[Figure, Any]:
    """Create an off-screen figure and its axes, shape (rows, columns); size per panel in inches."""
    from matplotlib.figure import Figure

    figure = Figure((size[0] * columns, size[1] * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _save(figure: Figure, path: Path) -> None:
    with written_whole(path) as stream:
        figure.savefig(stream, format="png", dpi=DPI)
