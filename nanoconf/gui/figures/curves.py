"""Drawing of curves: points with error bars, lines with bands, bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nanoconf.gui.figures.plots import Chart, Curve
from nanoconf.gui.figures.theme import FAMILY_LINES, FAMILY_POINTS, LINES, POINTS, Theme
from nanoconf.surrogate.band import HALF_WIDTH

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

DOTS = 9
"""Approximate number of markers on the second line of a pair."""


def draw_curves(axes: Axes, chart: Chart, theme: Theme) -> list[Artist]:
    """Draw the curves of a chart."""
    # matplotlib displays the return value of this method below the figure.
    axes.format_coord = lambda x, y: chart.reading(x)  # type: ignore[method-assign]
    shades = sorted({curve.shade for curve in chart.curves if curve.shade is not None})
    return [artist for curve in chart.curves for artist in _curve(axes, curve, theme, shades)]


def _curve(axes: Axes, curve: Curve, theme: Theme, shades: list[float]) -> list[Artist]:
    if curve.kind == "bars":
        return _bars(axes, curve, theme)
    member = None if curve.shade is None else shades.index(curve.shade)
    if curve.as_points:
        marker = POINTS[curve.species] if member is None else _nth(FAMILY_POINTS, member)
        return _points(axes, curve, theme, marker)
    style = LINES[curve.source, curve.species] if member is None else _nth(FAMILY_LINES, member)
    return _line(axes, curve, theme, style)


def _name(curve: Curve) -> str:
    """Return the label of a curve; matplotlib hides labels that start with an underscore."""
    if not curve.listed:
        return "_"
    return f" {curve.label}" if curve.label.startswith("_") else curve.label


def _nth(styles: tuple[Any, ...], number: int) -> Any:
    return styles[number % len(styles)]


def _bars(axes: Axes, curve: Curve, theme: Theme) -> list[Artist]:
    container = axes.bar(
        curve.x,
        curve.y,
        curve.bar_width,
        yerr=curve.error,
        color=theme.colour(curve),
        ecolor=theme.ink,
        alpha=0.7,
        label=_name(curve),
    )
    bars: list[Artist] = list(container)
    return bars + (container.errorbar.get_children() if container.errorbar else [])


def _points(axes: Axes, curve: Curve, theme: Theme, marker: str) -> list[Artist]:
    family = curve.shade is not None  # its legend has one entry for all error bars
    container = axes.errorbar(
        curve.x,
        curve.y,
        yerr=curve.error,
        fmt=marker,
        color=theme.colour(curve),
        markerfacecolor=theme.colour(curve) if curve.converged else theme.paper,
        alpha=0.45 if curve.stale else 1,
        markersize=3 if len(curve.x) > 50 else 6,
        elinewidth=1,
        capsize=0,
        label=_name(curve) + ("" if curve.error is None or family else " ± standard error"),
        zorder=2,
    )
    return list(container.get_children())


def _line(axes: Axes, curve: Curve, theme: Theme, style: Any) -> list[Artist]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Polygon

    alpha = 0.4 if curve.stale else 1
    colour = theme.colour(curve)
    line = Line2D(
        curve.x,
        curve.y,
        color=colour,
        linestyle=style,
        lw=1 if curve.kind == "line" else 2,
        marker="o" if curve.second else "",
        markevery=max(1, len(curve.x) // DOTS),
        alpha=alpha,
        label=_name(curve) + (", 90 % band" if curve.error is not None else ""),
        zorder=3,
    )
    if curve.error is None:
        return added(axes, [line])
    half = HALF_WIDTH * curve.error
    there, back = (curve.x, curve.y - half), (curve.x[::-1], (curve.y + half)[::-1])
    around = np.concatenate([there, back], axis=1).T
    band = Polygon(around, color=colour, alpha=0.2 * alpha, lw=0, zorder=1)
    return added(axes, [band, line])


def added(axes: Axes, artists: list[Artist]) -> list[Artist]:
    """Add artists to a chart; ``axes.plot`` and similar methods take three times as long."""
    for artist in artists:
        axes.add_artist(artist)
    return artists


def remove(axes: Axes, artists: list[Artist]) -> None:
    """Remove artists from a chart."""
    for artist in artists:
        artist.remove()
    axes.containers.clear()
